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

// parts holds what the pointers of an Event or Drift point to, so that decoding one allocates nothing once the slices
// have grown. A full slice is left to the pointers into it and replaced by a new one.
type parts struct {
	changes []Change
	attrs   []Attr
	numbers []uint64
	execs   []ExecSeq
	moved   []Moved
	args    []Arg
	result  Result
	stack   int
	nAttrs  int // of all slices
}

func (p *parts) reset() {
	p.changes, p.attrs, p.args = p.changes[:0], p.attrs[:0], p.args[:0]
	p.numbers, p.execs, p.moved = p.numbers[:0], p.execs[:0], p.moved[:0]
	p.nAttrs = 0
}

// grow appends v to *list and returns where it stands.
func grow[T any](list *[]T, v T) *T {
	if len(*list) == cap(*list) {
		*list = make([]T, 0, min(max(16, 2*len(*list)), 4096))
	}
	*list = append(*list, v)
	return &(*list)[len(*list)-1]
}

func (p *parts) number(v uint64) *uint64 { return grow(&p.numbers, v) }

func (p *parts) exec(v uint64) *ExecSeq { return grow(&p.execs, ExecSeq(v)) }

func (p *parts) newAttr() *Attr {
	p.nAttrs++
	return grow(&p.attrs, Attr{})
}

func (p *parts) newMoved() *Moved { return grow(&p.moved, Moved{}) }
