package export

import (
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
)

// WritePerfetto writes a trace of a log up to a moment as Perfetto reads it: protos/perfetto/trace/trace.proto. Each process
// has a track of its sizes for each kind and way to count, each thread one of its calls, which are instants and carry their
// stacks. It reports whether the log is cut.
func WritePerfetto(w io.Writer, open analysis.Open, at analysis.Moment, pids []int) (cut bool, err error) {
	return writeTrace(open, at, pids, func(s *analysis.State) tracer {
		return &perfetto{w: writer{to: w}, state: s, tracks: map[perfettoTrack]uint64{}, interned: map[string]map[string]uint64{}, stacks: map[int]uint64{}}
	})
}

// The numbers of fields in Perfetto's messages that are more than one place's.
const (
	packetTimestamp = 8
	packetSequence  = 10
	packetEvent     = 11
	packetInterned  = 12
	packetFlags     = 13
	packetTrack     = 60

	// TrackEvent.Type
	typeInstant = 3
	typeCounter = 4

	unitBytes = 3 // CounterDescriptor.Unit

	// TracePacket.SequenceFlags
	stateCleared = 1
	stateNeeded  = 2
)

// perfetto writes packets of one sequence.
type perfetto struct {
	w        writer
	state    *analysis.State
	begun    bool
	tracks   map[perfettoTrack]uint64     // uuid
	interned map[string]map[string]uint64 // numbers of names, by kind of name
	stacks   map[int]uint64
	fresh    message // InternedData for the next packet
}

// A perfettoTrack is a process's, one of its threads', or one of its counters'.
type perfettoTrack struct {
	pid, tid int
	counter  string
}

// packet writes a packet.
func (p *perfetto) packet(m message) {
	m.uint(packetSequence, 1)
	flags := uint64(stateNeeded)
	if !p.begun {
		flags |= stateCleared
		m.uint(87, 1) // first_packet_on_sequence
	}
	p.begun = true
	m.uint(packetFlags, flags)
	if len(p.fresh) > 0 {
		m.sub(packetInterned, p.fresh)
		p.fresh = p.fresh[:0]
	}
	var trace message
	trace.sub(1, m)
	p.w.buf.Write(trace)
	p.w.flush(1 << 16)
}

// track is the uuid of a track; describe fills the descriptor of a new one.
func (p *perfetto) track(key perfettoTrack, describe func(m *message)) uint64 {
	if id, ok := p.tracks[key]; ok {
		return id
	}
	id := uint64(len(p.tracks) + 1)
	p.tracks[key] = id
	var m, packet message
	m.uint(1, id)
	describe(&m)
	packet.sub(packetTrack, m)
	p.packet(packet)
	return id
}

func (p *perfetto) process(x *tracedProcess) {
	p.track(perfettoTrack{pid: x.pid}, func(m *message) {
		var d message
		d.uint(1, uint64(x.pid))
		for _, a := range x.argv {
			d.text(2, strings.ToValidUTF8(a, "\ufffd"))
		}
		d.text(6, strings.ToValidUTF8(x.name, "\ufffd"))
		m.sub(3, d)
	})
}

func (p *perfetto) thread(pid, tid int, name string) {
	p.track(perfettoTrack{pid: pid, tid: tid}, func(m *message) {
		var d message
		d.uint(1, uint64(pid))
		d.uint(2, uint64(tid))
		d.text(5, strings.ToValidUTF8(name, "\ufffd"))
		m.sub(4, d)
	})
}

func (p *perfetto) sizes(pid int, t int64, by map[string]sizes) {
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		n := by[kind]
		p.size(pid, t, "addresses: "+kind, n.addresses)
		p.size(pid, t, "usable: "+kind, n.usable)
		if n.resident != nil {
			p.size(pid, t, "resident: "+kind, *n.resident)
		}
	}
}

func (p *perfetto) size(pid int, t int64, counter string, bytes int64) {
	id := p.track(perfettoTrack{pid: pid, counter: counter}, func(m *message) {
		var d message
		d.uint(3, unitBytes)
		m.uint(5, p.tracks[perfettoTrack{pid: pid}])
		m.text(2, counter)
		m.sub(8, d)
	})
	var e, m message
	e.uint(9, typeCounter)
	e.uint(11, id)
	e.number(30, uint64(bytes))
	m.number(packetTimestamp, uint64(t))
	m.sub(packetEvent, e)
	p.packet(m)
}

func (p *perfetto) call(c *tracedCall) {
	var e, m message
	e.uint(9, typeInstant)
	e.uint(11, p.tracks[perfettoTrack{pid: c.pid, tid: c.tid}])
	e.uint(10, p.intern(2, "event", c.name))
	category := "mapping"
	if c.error != "" {
		category = "failed"
	}
	e.text(22, category)
	note := func(name string, field int, number uint64, text string) {
		var d message
		d.uint(1, p.intern(3, "annotation", name))
		if field == 6 {
			d.text(6, strings.ToValidUTF8(text, "\ufffd"))
		} else {
			d.number(field, number)
		}
		e.sub(4, d)
	}
	note("call", 6, 0, c.text)
	note("event", 3, c.seq, "")
	note("mapped", 3, uint64(c.mapped), "")
	note("unmapped", 3, uint64(c.unmapped), "")
	if c.who != "" {
		note("who", 6, 0, c.who)
	}
	if c.stack != 0 {
		if id := p.stack(c.stack); id != 0 {
			e.uint(56, id)
		}
	}
	m.number(packetTimestamp, uint64(c.t))
	m.sub(packetEvent, e)
	p.packet(m)
}

// intern returns the number of a name; a new name is written with the next packet. field is its field in InternedData.
func (p *perfetto) intern(field int, what, name string) uint64 {
	return p.internOnce(field, what, name, func(m *message) { m.text(2, strings.ToValidUTF8(name, "\ufffd")) })
}

func (p *perfetto) internOnce(field int, what, key string, fill func(m *message)) uint64 {
	of := p.interned[what]
	if of == nil {
		of = map[string]uint64{}
		p.interned[what] = of
	}
	id, ok := of[key]
	if !ok {
		id = uint64(len(of) + 1)
		of[key] = id
		var m message
		m.uint(1, id)
		fill(&m)
		p.fresh.sub(field, m)
	}
	return id
}

// stack is the number of a call stack, 0 for one without frames.
func (p *perfetto) stack(stack int) uint64 {
	if id, ok := p.stacks[stack]; ok {
		return id
	}
	frames, _ := p.state.Frames(stack)
	if len(frames) == 0 {
		return 0
	}
	var ids []uint64
	for i := range frames {
		ids = append(ids, p.frame(&frames[i]))
	}
	slices.Reverse(ids) // the outermost comes first
	id := uint64(len(p.stacks) + 1)
	p.stacks[stack] = id
	var m message
	m.uint(1, id)
	for _, f := range ids {
		m.uint(2, f)
	}
	p.fresh.sub(7, m)
	return id
}

func (p *perfetto) frame(f *analysis.Frame) uint64 {
	var rest message
	if strings.HasPrefix(f.Module, "/") {
		if f.Function != "" {
			rest.uint(2, p.intern(5, "function", f.Label()))
		}
		rest.uint(3, p.mapping(f))
		rest.uint(4, uint64(f.Offset))
	} else {
		// Perfetto's names of mappings are paths of files: code that is in none has its name alone.
		rest.uint(2, p.intern(5, "function", f.Label()))
	}
	if f.File != "" {
		rest.uint(5, p.intern(18, "source", f.File))
	}
	rest.uint(6, uint64(f.Line))
	return p.internOnce(6, "frame", string(rest), func(m *message) { *m = append(*m, rest...) })
}

// mapping is the number of the mapping of a frame's file: the parts of its path, and the build id as bytes.
func (p *perfetto) mapping(f *analysis.Frame) uint64 {
	build := uint64(0)
	if raw, err := hex.DecodeString(f.BuildID()); err == nil && len(raw) > 0 {
		build = p.internOnce(16, "build", string(raw), func(m *message) { m.text(2, string(raw)) })
	}
	var parts []uint64
	for part := range strings.SplitSeq(strings.TrimPrefix(f.Module, "/"), "/") {
		parts = append(parts, p.intern(17, "path", part))
	}
	return p.internOnce(19, "mapping", f.Module+"\x00"+f.BuildID(), func(m *message) {
		m.uint(2, build)
		for _, part := range parts {
			m.uint(7, part)
		}
	})
}

func (p *perfetto) end() error {
	p.w.flush(0)
	return p.w.err
}
