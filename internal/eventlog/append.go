package eventlog

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// AppendRecord appends the line of r to dst, "type" first and the newline last, exactly as encoding/json would write
// it except that absent lists are [] and never null, and that bytes that are not UTF-8 can be recovered (bytes.go).
// Apart from dst it does not allocate for events, drifts, stacks, spaces and snapshots: millions of events pass
// through it while vmblame shares a processor with the tracee.
func AppendRecord(dst []byte, r Record) []byte {
	switch r := r.(type) {
	case *Event:
		dst = append(appendEvent(dst, "event", r), '}')
	case *Origin:
		dst = append(appendThreadName(appendEvent(dst, "origin", &r.Event), r.Name), '}')
	case *Drift:
		dst = appendDrift(dst, r)
	case *Advice:
		dst = appendAdvice(dst, r)
	case *Stack:
		dst = appendStack(dst, r)
	case *Space:
		dst = appendSpace(dst, r)
	case *Snapshot:
		dst = appendSnapshot(dst, r)
	default:
		dst = appendRare(dst, r)
	}
	return append(dst, '\n')
}

// AppendOrigin appends the line of an origin record that AppendRecord made when the thread's name was not known.
func AppendOrigin(dst, line []byte, name string) []byte {
	const end = "}\n"
	dst = append(dst, line[:len(line)-len(end)]...)
	return append(appendThreadName(dst, name), end...)
}

func appendThreadName(dst []byte, name string) []byte {
	if name == "" {
		return dst
	}
	return appendString(append(dst, `,"name":`...), name)
}

// appendRare encodes rare record types with encoding/json.
func appendRare(dst []byte, r Record) []byte {
	var v any
	switch r := r.(type) {
	case *Header:
		c := *r
		if c.Command == nil {
			c.Command = []string{}
		}
		if c.Environment == nil {
			c.Environment = Environment{}
		}
		v = struct {
			Type string `json:"type"`
			Header
		}{r.Type(), c}
	case *Thread:
		v = struct {
			Type string `json:"type"`
			*Thread
		}{r.Type(), r}
	case *Module:
		v = struct {
			Type string `json:"type"`
			*Module
		}{r.Type(), r}
	case *Symbol:
		c := *r
		if c.Frames == nil {
			c.Frames = []SymbolFrame{}
		}
		v = struct {
			Type string `json:"type"`
			Symbol
		}{r.Type(), c}
	case *Content:
		c := *r
		if c.Findings == nil {
			c.Findings = []Finding{}
		}
		v = struct {
			Type string `json:"type"`
			Content
		}{r.Type(), c}
	case *Note:
		v = struct {
			Type string `json:"type"`
			*Note
		}{r.Type(), r}
	case *End:
		v = struct {
			Type string `json:"type"`
			*End
		}{r.Type(), r}
	default:
		panic(fmt.Sprintf("eventlog: %T is no record of the log", r))
	}
	b, err := marshal(v, r)
	if err != nil {
		// Strings, numbers and maps of strings cannot fail.
		panic(fmt.Sprintf("eventlog: %T: %v", r, err))
	}
	return append(dst, b...)
}

// appendEvent leaves the object open: an origin appends a field.
func appendEvent(dst []byte, kind string, e *Event) []byte {
	dst = append(append(dst, `{"type":"`...), kind...)
	dst = appendUint(dst, `","seq":`, e.Seq)
	dst = appendInt(dst, `,"t":`, e.T)
	dst = appendInt(dst, `,"space":`, int64(e.Space))
	dst = appendCall(dst, e)
	dst = append(dst, `,"changes":`...)
	dst = appendChanges(dst, e.Changes)
	if e.Uncertain {
		dst = append(dst, `,"uncertain":true`...)
	}
	if len(e.Limits) > 0 {
		dst = appendStrings(append(dst, `,"limits":`...), e.Limits)
	}
	return dst
}

// appendCall writes who made a call, what it was, how it ended, and its stack.
func appendCall(dst []byte, e *Event) []byte {
	dst = appendInt(dst, `,"pid":`, int64(e.PID))
	dst = appendInt(dst, `,"tid":`, int64(e.TID))
	dst = append(dst, `,"call":`...)
	dst = appendString(dst, e.Call)
	dst = append(dst, `,"args":`...)
	dst = appendArgs(dst, e.Args)
	if e.Result != nil {
		dst = append(dst, `,"result":`...)
		dst = appendResult(dst, *e.Result)
	}
	if e.Error != "" {
		dst = append(dst, `,"error":`...)
		dst = appendString(dst, e.Error)
	}
	if e.Stack == nil {
		return append(dst, `,"stack":null`...)
	}
	return appendInt(dst, `,"stack":`, int64(*e.Stack))
}

func appendAdvice(dst []byte, a *Advice) []byte {
	dst = appendInt(dst, `{"type":"advice","t":`, a.T)
	dst = appendUint(dst, `,"after":`, a.After)
	dst = appendInt(dst, `,"space":`, int64(a.Space))
	dst = appendCall(dst, a.AsEvent())
	for _, n := range [...]struct {
		key   string
		bytes *int64
	}{{`,"before":`, a.Before}, {`,"left":`, a.Left}} {
		if n.bytes == nil {
			dst = append(append(dst, n.key...), "null"...)
		} else {
			dst = appendInt(dst, n.key, *n.bytes)
		}
	}
	return append(dst, '}')
}

func appendDrift(dst []byte, d *Drift) []byte {
	dst = appendInt(dst, `{"type":"drift","t":`, d.T)
	dst = appendUint(dst, `,"after":`, d.After)
	dst = appendInt(dst, `,"space":`, int64(d.Space))
	dst = append(dst, `,"changes":`...)
	dst = appendChanges(dst, d.Changes)
	dst = append(dst, `,"guess":`...)
	dst = appendString(dst, d.Guess)
	if d.Beside != nil {
		dst = appendUint(dst, `,"beside":`, *d.Beside)
	}
	return append(dst, '}')
}

func appendStack(dst []byte, s *Stack) []byte {
	dst = appendInt(dst, `{"type":"stack","stack":`, int64(s.Stack))
	dst = append(dst, `,"frames":[`...)
	for i := range s.Frames {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendFrame(dst, &s.Frames[i]), '}')
	}
	return appendStackEnd(dst, s)
}

// appendFrame leaves the object open: the export appends more fields.
func appendFrame(dst []byte, f *Frame) []byte {
	dst = append(dst, `{"pc":`...)
	dst = appendHex(dst, f.PC)
	dst = appendInt(dst, `,"module":`, int64(f.Module))
	dst = append(dst, `,"offset":`...)
	dst = appendHex(dst, f.Offset)
	dst = append(dst, `,"via":`...)
	dst = appendString(dst, f.Via)
	if f.Call {
		dst = append(dst, `,"call":true`...)
	}
	if f.Omitted != 0 {
		dst = appendInt(dst, `,"omitted":`, int64(f.Omitted))
	}
	return dst
}

func appendStackEnd(dst []byte, s *Stack) []byte {
	dst = append(dst, `],"complete":`...)
	dst = strconv.AppendBool(dst, s.Complete)
	dst = append(dst, `,"end":`...)
	dst = appendString(dst, s.End)
	return append(dst, '}')
}

func appendSpace(dst []byte, s *Space) []byte {
	dst = appendInt(dst, `{"type":"space","space":`, int64(s.Space))
	dst = appendInt(dst, `,"t":`, s.T)
	dst = appendUint(dst, `,"after":`, s.After)
	dst = appendInt(dst, `,"pid":`, int64(s.PID))
	dst = append(dst, `,"cause":`...)
	dst = appendString(dst, s.Cause)
	if s.Parent != nil {
		dst = appendInt(dst, `,"parent":`, int64(*s.Parent))
	} else {
		dst = append(dst, `,"parent":null`...)
	}
	dst = append(dst, `,"exe":`...)
	dst = appendString(dst, s.Exe)
	dst = append(dst, `,"argv":[`...)
	for i, a := range s.Argv {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, a)
	}
	dst = append(dst, ']')
	if s.Argc != 0 {
		dst = appendInt(dst, `,"argc":`, int64(s.Argc))
	}
	if s.Environment != nil {
		dst = appendSpaceEnvironment(dst, s.Environment)
	}
	if s.Blind {
		dst = append(dst, `,"blind":true`...)
	}
	dst = append(dst, `,"mappings":[`...)
	for i := range s.Mappings {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendMapping(dst, &s.Mappings[i])
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}

func appendSpaceEnvironment(dst []byte, e *SpaceEnvironment) []byte {
	dst = appendStrings(append(dst, `,"environment":{"variables":`...), e.Variables)
	dst = append(dst, `,"others":`...)
	if e.Others == nil {
		dst = append(dst, "null"...)
	} else {
		dst = append(dst, '[')
		for i, name := range e.Others {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, name)
		}
		dst = append(dst, ']')
	}
	return append(appendStrings(append(dst, `,"limits":`...), e.Limits), '}')
}

// appendStrings writes strings in the order of their names, null for nil.
func appendStrings(dst []byte, m map[string]string) []byte {
	if m == nil {
		return append(dst, "null"...)
	}
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		dst = appendString(dst, m[name])
	}
	return append(dst, '}')
}

// appendSystem writes figures in the order of their names, nothing for none.
func appendSystem(dst []byte, s System) []byte {
	if len(s) == 0 {
		return dst
	}
	dst = append(dst, `,"system":`...)
	sep := byte('{')
	for _, name := range slices.Sorted(maps.Keys(s)) {
		dst = append(dst, sep)
		dst = appendString(dst, name)
		dst = appendInt(dst, ":", s[name])
		sep = ','
	}
	return append(dst, '}')
}

func appendSnapshot(dst []byte, s *Snapshot) []byte {
	dst = appendInt(dst, `{"type":"snapshot","t":`, s.T)
	dst = appendUint(dst, `,"after":`, s.After)
	dst = appendInt(dst, `,"space":`, int64(s.Space))
	dst = append(dst, `,"cause":`...)
	dst = appendString(dst, s.Cause)
	dst = append(dst, `,"mappings":[`...)
	for i := range s.Mappings {
		if i > 0 {
			dst = append(dst, ',')
		}
		m := &s.Mappings[i]
		dst = appendMapping(dst, &m.Mapping)
		dst = appendUint(dst, `,"rss":`, m.RSS)
		dst = appendUint(dst, `,"pss":`, m.PSS)
		dst = appendUint(dst, `,"private_dirty":`, m.PrivateDirty)
		dst = appendUint(dst, `,"swap":`, m.Swap)
		for _, part := range [...]struct {
			key   string
			bytes uint64
		}{{`,"shared":`, m.Shared}, {`,"huge":`, m.Huge}, {`,"locked":`, m.Locked}} {
			if part.bytes != 0 {
				dst = appendUint(dst, part.key, part.bytes)
			}
		}
		if m.AnonName != "" {
			dst = append(dst, `,"anon_name":`...)
			dst = appendString(dst, m.AnonName)
		}
		if m.Rows != 0 {
			dst = appendInt(dst, `,"rows":`, int64(m.Rows))
		}
		dst = append(dst, '}')
	}
	return append(appendSystem(append(dst, ']'), s.System), '}')
}
