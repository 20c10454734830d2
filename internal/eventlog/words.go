package eventlog

import "encoding/binary"

// words is a bounded cache that turns equal bytes into the same string most of the time: a log repeats "rw-p",
// "munmap" and the path of libc a million times. The zero value is ready.
type words struct {
	slot [1024]string
}

const longestWord = 256

func (w *words) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > longestWord {
		return string(b)
	}
	var h uint64
	if n := len(b); n >= 8 {
		// Paths differ more at the end and in the middle than at the beginning.
		h = binary.LittleEndian.Uint64(b[n-8:]) ^ binary.LittleEndian.Uint64(b[(n-8)/2:])*0x9e3779b97f4a7c15
	} else {
		for _, c := range b {
			h = h<<8 | uint64(c)
		}
	}
	h = (h ^ uint64(len(b))) * 0xbf58476d1ce4e5b9
	p := &w.slot[h>>54]
	if *p != string(b) {
		*p = string(b)
	}
	return *p
}

// parts holds events and drifts and what they point to, so that decoding one allocates nothing once the slices have
// grown. A full slice is left to the pointers into it and replaced by a new one.
type parts struct {
	events  []eventPart
	drifts  []Drift
	changes []Change
	attrs   []Attr
	numbers []uint64
	execs   []ExecSeq
	moved   []Moved
	args    []Arg
	nAttrs  int // of the line, in all slices

	firstArg, firstChange int // of the list that is being read
}

// eventPart is an event and the single values that it points to.
type eventPart struct {
	Event
	result Result
	stack  int
}

// reset gives all memory free for use again.
func (p *parts) reset() {
	p.events, p.drifts = p.events[:0], p.drifts[:0]
	p.changes, p.attrs, p.args = p.changes[:0], p.attrs[:0], p.args[:0]
	p.numbers, p.execs, p.moved = p.numbers[:0], p.execs[:0], p.moved[:0]
}

// grow appends v to *list and returns where it stands.
func grow[T any](list *[]T, v T) *T {
	if len(*list) == cap(*list) {
		*list = make([]T, 0, min(max(16, 2*len(*list)), 4096))
	}
	*list = append(*list, v)
	return &(*list)[len(*list)-1]
}

// lengthen appends v to the list that is the end of *slab, from first on, and returns where the list begins now: what
// stands before it stays where it is.
func lengthen[T any](slab *[]T, first int, v T) int {
	if len(*slab) == cap(*slab) {
		list := (*slab)[first:]
		*slab = append(make([]T, 0, max(16, min(2*len(*slab), 4096), 2*len(list))), list...)
		first = 0
	}
	*slab = append(*slab, v)
	return first
}

func (p *parts) newEvent() *eventPart { return grow(&p.events, eventPart{}) }

func (p *parts) newDrift() *Drift { return grow(&p.drifts, Drift{}) }

func (p *parts) number(v uint64) *uint64 { return grow(&p.numbers, v) }

func (p *parts) exec(v uint64) *ExecSeq { return grow(&p.execs, ExecSeq(v)) }

func (p *parts) newAttr() *Attr {
	p.nAttrs++
	return grow(&p.attrs, Attr{})
}

func (p *parts) newMoved() *Moved { return grow(&p.moved, Moved{}) }

// beginArgs begins a list of arguments, which addArg lengthens and endArgs ends.
func (p *parts) beginArgs() { p.firstArg = len(p.args) }

func (p *parts) addArg(a Arg) { p.firstArg = lengthen(&p.args, p.firstArg, a) }

func (p *parts) endArgs() []Arg { return p.args[p.firstArg:len(p.args):len(p.args)] }

// beginChanges begins a list of about n changes, which addChange lengthens and endChanges ends.
func (p *parts) beginChanges(n int) {
	if n > cap(p.changes)-len(p.changes) {
		p.changes = make([]Change, 0, n)
	}
	p.firstChange = len(p.changes)
}

// addChange returns the new last change, valid until the next call.
func (p *parts) addChange() *Change {
	p.firstChange = lengthen(&p.changes, p.firstChange, Change{})
	return &p.changes[len(p.changes)-1]
}

func (p *parts) endChanges() []Change { return p.changes[p.firstChange:len(p.changes):len(p.changes)] }
