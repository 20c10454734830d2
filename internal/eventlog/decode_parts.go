package eventlog

// changes reads a list of changes into d.parts.
func (d *decoder) changes() []Change {
	if d.null() {
		return nil
	}
	p := &d.parts
	p.beginChanges(d.elements())
	for d.array(); d.element() && d.room(len(p.changes)-p.firstChange, shortestMapping); {
		c := p.addChange()
		var k []byte
		for d.object(); d.key(&k); {
			switch string(k) {
			case "start":
				d.hex(&c.Start)
			case "end":
				d.hex(&c.End)
			case "was":
				c.Was = d.attrOrNull(c.Was)
			case "now":
				c.Now = d.attrOrNull(c.Now)
			default:
				d.skip()
			}
		}
	}
	return p.endChanges()
}

// attrOrNull reads an attr or null into a, which is nil unless the key is repeated.
func (d *decoder) attrOrNull(a *Attr) *Attr {
	if d.null() {
		return nil
	}
	if a == nil {
		if !d.room(d.parts.nAttrs, shortestAttr) {
			return nil
		}
		a = d.parts.newAttr()
	}
	var k []byte
	for d.object(); d.key(&k); {
		if !d.attrField(a, k) {
			d.skip()
		}
	}
	return a
}

func (d *decoder) mapping(m *SnapshotMapping) {
	var k []byte
	for d.object(); d.key(&k); {
		switch string(k) {
		case "start":
			d.hex(&m.Start)
		case "end":
			d.hex(&m.End)
		case "rss":
			d.uint64(&m.RSS)
		case "pss":
			d.uint64(&m.PSS)
		case "private_dirty":
			d.uint64(&m.PrivateDirty)
		case "swap":
			d.uint64(&m.Swap)
		case "shared":
			d.uint64(&m.Shared)
		case "huge":
			d.uint64(&m.Huge)
		case "locked":
			d.uint64(&m.Locked)
		case "rows":
			d.int(&m.Rows)
		case "anon_name":
			d.string(&m.AnonName)
		default:
			if !d.attrField(&m.Attr, k) {
				d.skip()
			}
		}
	}
}

// attrField reads the value of key k into a, and reports whether k is a field of Attr.
func (d *decoder) attrField(a *Attr, k []byte) bool {
	switch string(k) {
	case "perms":
		d.string(&a.Perms)
	case "offset":
		d.uint64(&a.Offset)
	case "dev":
		d.string(&a.Dev)
	case "inode":
		d.uint64(&a.Inode)
	case "path":
		d.string(&a.Path)
	case "origin":
		a.Origin = d.number64()
	case "origin_cause":
		d.string(&a.OriginCause)
	case "exec":
		// null means the launch, unlike an absent field.
		var seq uint64
		d.uint64(&seq)
		a.Exec = d.parts.exec(seq)
	case "moved_from":
		a.MovedFrom = d.movedFrom()
	default:
		return false
	}
	return true
}

func (d *decoder) movedFrom() *Moved {
	if d.null() {
		return nil
	}
	m := d.parts.newMoved()
	var k []byte
	for d.object(); d.key(&k); {
		switch string(k) {
		case "start":
			d.hex(&m.Start)
		case "origin":
			m.Origin = d.number64()
		default:
			d.skip()
		}
	}
	return m
}

// number64 reads a number or null.
func (d *decoder) number64() *uint64 {
	if d.null() {
		return nil
	}
	var v uint64
	d.uint64(&v)
	return d.parts.number(v)
}

// args reads the members of an object that are numbers or strings into d.parts.
func (d *decoder) args() []Arg {
	p := &d.parts
	p.beginArgs()
	var k []byte
	for d.object(); d.key(&k) && d.atMost(len(p.args)-p.firstArg, mostArguments); {
		a := Arg{Name: d.words.get(k)}
		switch c := d.peek(); {
		case c == '"':
			s := d.text()
			if v, ok := parseHex(s); ok && canonical(s) {
				a.Value, a.Address = int64(v), true
			} else {
				a.Text = d.words.get(s)
			}
		case c == '-' || '0' <= c && c <= '9':
			a.Value = d.anyInt64()
		default:
			d.skip()
			continue
		}
		p.addArg(a)
	}
	return p.endArgs()
}

// canonical reports whether the hexadecimal number s is written as appendHex would.
func canonical(s []byte) bool {
	for _, c := range s[2:] {
		if 'A' <= c && c <= 'F' {
			return false
		}
	}
	return s[2] != '0' || len(s) == 3
}

// anyInt64 reads a number up to 64 bits, signed or not.
func (d *decoder) anyInt64() int64 {
	v, negative := d.number()
	if negative {
		if v > 1<<63 {
			d.fail(errRange)
		}
		return -int64(v)
	}
	return int64(v)
}

func (d *decoder) result(r *Result) {
	*r = Result{}
	if d.peek() == '"' {
		v, ok := parseHex(d.text())
		if !ok {
			d.fail(errHex)
		}
		r.Value, r.Address = int64(v), true
		return
	}
	r.Value = d.anyInt64()
}
