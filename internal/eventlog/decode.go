package eventlog

import (
	"errors"
)

var errNoType = errors.New(`an object without "type"`)

// decode reads one line. The record is nil if this version does not know its type. *Event and *Drift, and what they
// point to, are valid until the next call; other records are new.
func (d *decoder) decode(line []byte) (Record, error) {
	d.parts.reset()
	return d.decodeMore(line)
}

// decodeMore is decode, but what earlier calls have returned stays valid until parts are reset.
func (d *decoder) decodeMore(line []byte) (Record, error) {
	d.parts.nAttrs = 0
	if e := d.plainEvent(line); e != nil {
		return e, nil
	}
	d.parts.nAttrs = 0
	d.reset(line)
	switch d.typeOf() {
	case "event":
		return result(d, d.decodeEvent())
	case "origin":
		return result(d, d.decodeOrigin())
	case "drift":
		return result(d, d.decodeDrift())
	case "stack":
		return result(d, d.decodeStack())
	case "space":
		return result(d, d.decodeSpace())
	case "snapshot":
		return result(d, d.decodeSnapshot())
	case "header":
		return rare(d, new(Header))
	case "thread":
		return rare(d, new(Thread))
	case "module":
		return rare(d, new(Module))
	case "symbol":
		return rare(d, new(Symbol))
	case "advice":
		return rare(d, new(Advice))
	case "content":
		return rare(d, new(Content))
	case "note":
		return rare(d, new(Note))
	case "end":
		return rare(d, new(End))
	case "":
		if d.err == nil {
			d.fail(errNoType)
		}
	default:
		d.skip()
	}
	return nil, d.finish()
}

func result(d *decoder, r Record) (Record, error) {
	if err := d.finish(); err != nil {
		return nil, err
	}
	return r, nil
}

// rare decodes rare record types with encoding/json.
func rare[R Record](d *decoder, r R) (Record, error) {
	if err := unmarshal(d.b, r); err != nil {
		return nil, err
	}
	return r, nil
}

// typeOf finds the "type" of the object, wherever it is, and moves back to the object's beginning.
func (d *decoder) typeOf() string {
	var k []byte
	t := ""
	for d.object(); t == "" && d.key(&k); {
		if string(k) == "type" {
			d.string(&t)
		} else {
			d.skip()
		}
	}
	if d.err == nil {
		d.i = 0
	}
	return t
}

// decodeOrigin reads an event and the name of its thread. The record is new.
func (d *decoder) decodeOrigin() *Origin {
	defer d.keepParts()()
	o := &Origin{}
	o.Event = *d.readEvent(&o.Name)
	return o
}

func (d *decoder) decodeEvent() *Event { return d.readEvent(nil) }

// readEvent reads an event, and the name of its thread unless that is nil.
func (d *decoder) readEvent(name *string) *Event {
	part := d.parts.newEvent()
	e := &part.Event
	var k []byte
	for d.object(); d.key(&k); {
		switch string(k) {
		case "name":
			if name == nil {
				d.skip()
			} else {
				d.string(name)
			}
		case "seq":
			d.uint64(&e.Seq)
		case "t":
			d.int64(&e.T)
		case "space":
			d.int(&e.Space)
		case "pid":
			d.int(&e.PID)
		case "tid":
			d.int(&e.TID)
		case "call":
			d.string(&e.Call)
		case "args":
			if !d.null() {
				e.Args = d.args()
			}
		case "result":
			if !d.null() {
				d.result(&part.result)
				e.Result = &part.result
			}
		case "error":
			d.string(&e.Error)
		case "stack":
			if !d.null() {
				d.int(&part.stack)
				e.Stack = &part.stack
			}
		case "changes":
			e.Changes = d.changes()
		case "uncertain":
			d.bool(&e.Uncertain)
		case "limits":
			e.Limits = d.strings()
		default:
			d.skip()
		}
	}
	return e
}

func (d *decoder) decodeDrift() *Drift {
	r := d.parts.newDrift()
	var k []byte
	for d.object(); d.key(&k); {
		switch string(k) {
		case "t":
			d.int64(&r.T)
		case "after":
			d.uint64(&r.After)
		case "space":
			d.int(&r.Space)
		case "changes":
			r.Changes = d.changes()
		case "guess":
			d.string(&r.Guess)
		case "beside":
			r.Beside = d.number64()
		default:
			d.skip()
		}
	}
	return r
}

func (d *decoder) decodeStack() *Stack {
	s := new(Stack)
	var k []byte
	for d.object(); d.key(&k); {
		switch string(k) {
		case "stack":
			d.int(&s.Stack)
		case "frames":
			if d.null() {
				continue
			}
			s.Frames = make([]Frame, 0, 16)
			for d.array(); d.element(); {
				var f Frame
				d.frame(&f)
				s.Frames = append(s.Frames, f)
			}
		case "complete":
			d.bool(&s.Complete)
		case "end":
			d.string(&s.End)
		default:
			d.skip()
		}
	}
	return s
}

func (d *decoder) frame(f *Frame) {
	var k []byte
	for d.object(); d.key(&k); {
		switch string(k) {
		case "pc":
			d.hex(&f.PC)
		case "module":
			d.int(&f.Module)
		case "offset":
			d.hex(&f.Offset)
		case "via":
			d.string(&f.Via)
		case "call":
			d.bool(&f.Call)
		case "omitted":
			d.int(&f.Omitted)
		default:
			d.skip()
		}
	}
}

// keepParts allocates new memory for what the next record points to, until the caller calls the returned function.
func (d *decoder) keepParts() (restore func()) {
	shared := d.parts
	d.parts = parts{}
	return func() { d.parts = shared }
}

func (d *decoder) decodeSpace() *Space {
	defer d.keepParts()()
	s := new(Space)
	var k []byte
	for d.object(); d.key(&k); {
		switch string(k) {
		case "space":
			d.int(&s.Space)
		case "t":
			d.int64(&s.T)
		case "after":
			d.uint64(&s.After)
		case "pid":
			d.int(&s.PID)
		case "cause":
			d.string(&s.Cause)
		case "parent":
			s.Parent = nil
			if !d.null() {
				s.Parent = new(int)
				d.int(s.Parent)
			}
		case "exe":
			d.string(&s.Exe)
		case "argc":
			d.int(&s.Argc)
		case "environment":
			s.Environment = d.spaceEnvironment()
		case "blind":
			d.bool(&s.Blind)
		case "argv":
			if d.null() {
				continue
			}
			s.Argv = s.Argv[:0]
			for d.array(); d.element() && d.atMost(len(s.Argv), mostArguments); {
				var a string
				d.string(&a)
				s.Argv = append(s.Argv, a)
			}
		case "mappings":
			if d.null() {
				continue
			}
			s.Mappings = make([]Mapping, 0, d.elements())
			for d.array(); d.element() && d.room(len(s.Mappings), shortestMapping); {
				var m SnapshotMapping
				d.mapping(&m)
				s.Mappings = append(s.Mappings, m.Mapping)
			}
		default:
			d.skip()
		}
	}
	return s
}

// mostVariables bounds the variables of an environment.
const mostVariables = 100_000

func (d *decoder) spaceEnvironment() *SpaceEnvironment {
	if d.null() {
		return nil
	}
	e := new(SpaceEnvironment)
	var k []byte
	for d.object(); d.key(&k); {
		switch string(k) {
		case "variables":
			e.Variables = d.strings()
		case "others":
			if d.null() {
				continue
			}
			e.Others = []string{}
			for d.array(); d.element() && d.atMost(len(e.Others), mostVariables); {
				var name string
				d.string(&name)
				e.Others = append(e.Others, name)
			}
		case "limits":
			e.Limits = d.strings()
		default:
			d.skip()
		}
	}
	return e
}

// strings reads an object of strings, nil for null.
func (d *decoder) strings() map[string]string {
	if d.null() {
		return nil
	}
	m := map[string]string{}
	var k []byte
	for d.object(); d.key(&k) && d.atMost(len(m), mostVariables); {
		name, value := string(k), ""
		d.string(&value)
		m[name] = value
	}
	return m
}

func (d *decoder) decodeSnapshot() *Snapshot {
	defer d.keepParts()()
	s := new(Snapshot)
	var k []byte
	for d.object(); d.key(&k); {
		switch string(k) {
		case "t":
			d.int64(&s.T)
		case "after":
			d.uint64(&s.After)
		case "space":
			d.int(&s.Space)
		case "cause":
			d.string(&s.Cause)
		case "mappings":
			if d.null() {
				continue
			}
			s.Mappings = make([]SnapshotMapping, 0, d.elements())
			for d.array(); d.element() && d.room(len(s.Mappings), shortestMapping); {
				var m SnapshotMapping
				d.mapping(&m)
				s.Mappings = append(s.Mappings, m)
			}
		case "system":
			s.System = d.system()
		default:
			d.skip()
		}
	}
	return s
}

// mostFigures bounds the figures of a snapshot that are not its mappings'.
const mostFigures = 1000

// system reads the numbers of an object; nil for null, and for an object without any.
func (d *decoder) system() System {
	if d.null() {
		return nil
	}
	var s System
	var k []byte
	for d.object(); d.key(&k) && d.atMost(len(s), mostFigures); {
		if c := d.peek(); c != '-' && (c < '0' || c > '9') {
			d.skip()
			continue
		}
		name := d.words.get(k)
		if s == nil {
			s = System{}
		}
		s[name] = d.anyInt64()
	}
	return s
}
