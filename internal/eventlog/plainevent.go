package eventlog

import "bytes"

// plainEvent reads an event's line that is written as AppendRecord writes it: keys in its order, no white space, no
// escapes. Nearly all lines of a log are such. For any other it returns nil, having judged nothing: the line is then
// read key by key.
func (d *decoder) plainEvent(line []byte) *Event {
	s := plainLine{b: line}
	if !s.literal(`{"type":"event","seq":`) {
		return nil
	}
	p := &d.parts
	part := p.newEvent()
	e := &part.Event
	e.Seq = s.unsigned()
	s.want(`,"t":`)
	e.T = s.signed()
	s.want(`,"space":`)
	e.Space = int(s.signed())
	s.want(`,"pid":`)
	e.PID = int(s.signed())
	s.want(`,"tid":`)
	e.TID = int(s.signed())
	s.want(`,"call":`)
	e.Call = d.words.get(s.text())
	s.want(`,"args":{`)
	p.beginArgs()
	for !s.literal(`}`) {
		if len(p.args) > p.firstArg {
			s.want(`,`)
		}
		a := Arg{Name: d.words.get(s.text())}
		s.want(`:`)
		if s.literal(`"0x`) {
			a.Value, a.Address = int64(s.hexDigits()), true
		} else if s.i < len(line) && line[s.i] == '"' {
			a.Text = d.words.get(s.text())
		} else {
			a.Value = s.signed()
		}
		if s.other || len(p.args)-p.firstArg > mostArguments {
			return nil
		}
		p.addArg(a)
	}
	e.Args = p.endArgs()
	switch {
	case s.literal(`,"result":"0x`):
		part.result = Result{int64(s.hexDigits()), true}
		e.Result = &part.result
	case s.literal(`,"result":`):
		part.result = Result{s.signed(), false}
		e.Result = &part.result
	}
	if s.literal(`,"error":`) {
		e.Error = d.words.get(s.text())
	}
	if !s.literal(`,"stack":null`) {
		s.want(`,"stack":`)
		part.stack = int(s.signed())
		e.Stack = &part.stack
	}
	s.want(`,"changes":[`)
	p.beginChanges(0)
	for !s.literal(`]`) {
		if len(p.changes) > p.firstChange {
			s.want(`,`)
		}
		c := p.addChange()
		s.want(`{"start":"0x`)
		c.Start = s.hexDigits()
		s.want(`,"end":"0x`)
		c.End = s.hexDigits()
		s.want(`,"was":`)
		c.Was = d.plainAttr(&s)
		s.want(`,"now":`)
		c.Now = d.plainAttr(&s)
		s.want(`}`)
		if s.other || len(p.changes)-p.firstChange > len(line)/shortestMapping {
			return nil
		}
	}
	e.Changes = p.endChanges()
	e.Uncertain = s.literal(`,"uncertain":true`)
	s.want(`}`)
	if s.other || s.i != len(line) {
		return nil
	}
	return e
}

// skimEvent reads only the time and the seq of such a line.
func (d *decoder) skimEvent(line []byte) *Event {
	s := plainLine{b: line}
	if !s.literal(`{"type":"event","seq":`) {
		return nil
	}
	e := &d.parts.newEvent().Event
	e.Seq = s.unsigned()
	s.want(`,"t":`)
	e.T = s.signed()
	s.want(`,"space":`)
	if s.other || line[len(line)-1] != '}' {
		return nil
	}
	return e
}

// plainAttr reads an attr or null.
func (d *decoder) plainAttr(s *plainLine) *Attr {
	if s.other || s.literal(`null`) {
		return nil
	}
	a := d.parts.newAttr()
	if !d.attrs.take(s, a) {
		start := s.i
		s.want(`{"perms":`)
		a.Perms = d.words.get(s.text())
		s.want(`,"offset":`)
		a.Offset = s.unsigned()
		s.want(`,"dev":`)
		a.Dev = d.words.get(s.text())
		s.want(`,"inode":`)
		a.Inode = s.unsigned()
		s.want(`,"path":`)
		a.Path = d.words.get(s.text())
		s.want(`,"origin":`)
		if s.other {
			return nil
		}
		d.attrs.keep(s.b[start:s.i], a)
	}
	if !s.literal(`null`) {
		a.Origin = d.parts.number(s.unsigned())
	}
	if s.literal(`,"origin_cause":`) {
		a.OriginCause = d.words.get(s.text())
	}
	switch {
	case s.literal(`,"exec":null`):
		a.Exec = d.parts.exec(0)
	case s.literal(`,"exec":`):
		a.Exec = d.parts.exec(s.unsigned())
	}
	s.want(`}`)
	return a
}

// lastAttrs remembers the beginnings of the last attrs, up to the origin: a log repeats those of anonymous memory a
// million times.
type lastAttrs struct {
	text [4][]byte
	attr [4]Attr
	next int
}

// take reads the beginning of an attr into a, and reports whether it is one of those remembered.
func (l *lastAttrs) take(s *plainLine, a *Attr) bool {
	for i, t := range l.text {
		if len(t) > 0 && bytes.HasPrefix(s.b[s.i:], t) {
			s.i += len(t)
			*a = l.attr[i]
			return true
		}
	}
	return false
}

func (l *lastAttrs) keep(text []byte, a *Attr) {
	if len(text) > longestWord {
		return
	}
	i := l.next
	l.next = (i + 1) % len(l.text)
	l.text[i], l.attr[i] = append(l.text[i][:0], text...), *a
}

// plainLine reads a line that AppendRecord has written. It sets other if the line has a different form, or one that is too rare to be handled here; the
// results of its methods are then meaningless.
type plainLine struct {
	b     []byte
	i     int
	other bool
}

// literal consumes t and reports whether it was next.
func (s *plainLine) literal(t string) bool {
	if len(s.b)-s.i >= len(t) && string(s.b[s.i:s.i+len(t)]) == t {
		s.i += len(t)
		return true
	}
	return false
}

func (s *plainLine) want(t string) {
	if !s.literal(t) {
		s.other = true
	}
}

// unsigned reads a number of at most 18 digits, which fits every integer type.
func (s *plainLine) unsigned() (v uint64) {
	b, start := s.b, s.i
	i := start
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			break
		}
		v = v*10 + uint64(c)
	}
	s.i = i
	n := i - start
	if n == 0 || n > 18 || n > 1 && b[start] == '0' {
		s.other = true
	}
	return v
}

func (s *plainLine) signed() int64 {
	if s.i < len(s.b) && s.b[s.i] == '-' {
		s.i++
		return -int64(s.unsigned())
	}
	return int64(s.unsigned())
}

// hexDigits reads what stands behind `"0x`, with the closing quote.
func (s *plainLine) hexDigits() (v Hex) {
	b, start := s.b, s.i
	for i := start; i < len(b); i++ {
		c := b[i]
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		default:
			s.i = i + 1
			n := i - start
			if c != '"' || n == 0 || n > 16 || n > 1 && b[start] == '0' {
				s.other = true
			}
			return v
		}
		v = v<<4 | Hex(c)
	}
	s.other = true
	return 0
}

// text reads a string without escapes. The bytes belong to the line.
func (s *plainLine) text() []byte {
	b := s.b
	if s.i >= len(b) || b[s.i] != '"' {
		s.other = true
		return nil
	}
	start := s.i + 1
	for i := start; i < len(b); i++ {
		c := b[i]
		if c == '"' {
			s.i = i + 1
			return b[start:i]
		}
		if c == '\\' || c < ' ' || c >= 0x80 {
			break
		}
	}
	s.other = true
	return nil
}
