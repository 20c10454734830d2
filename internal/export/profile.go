package export

import (
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/analysis"
)

// A Value is one of the figures of a sample.
type Value int

// The values. The first four are of what is mapped at the moment, the others of the calls up to it.
const (
	Addresses Value = iota // bytes of address space
	Usable                 // those of them that can be accessed in some way, or are in memory all the same
	Resident               // those in memory
	Mappings               // entries of the ledger
	Mapped                 // bytes that calls mapped
	Unmapped               // bytes that calls took away
	Calls                  // mapping calls

	valueCount
)

// valueNames are the names and units of the values.
var valueNames = [valueCount]struct{ name, unit string }{
	{"addresses", "bytes"}, {"usable", "bytes"}, {"resident", "bytes"}, {"mappings", "count"}, {"mapped", "bytes"}, {"unmapped", "bytes"}, {"calls", "count"},
}

// String is the name of v.
func (v Value) String() string { return valueNames[v].name }

// Values lists all values.
func Values() (list []Value) {
	for v := range valueCount {
		list = append(list, v)
	}
	return list
}

// A Profile has, for each call stack, what it holds at a moment of a log and what its calls did up to then; or the
// difference between two such profiles.
type Profile struct {
	log        string
	at         analysis.At
	started    time.Time // of the recording, zero where the log does not say
	uncounted  int64     // bytes of address space whose resident size is in no snapshot
	counted    bool      // the resident size of some mapping is in a snapshot
	difference bool
	exe        string // of the first process
	samples    []*sample
}

// A sample is one call stack with its values.
type sample struct {
	origin
	frames []analysis.Frame // innermost first
	words  string           // in place of frames, where no call is to blame
	now    [valueCount]int64
	was    [valueCount]int64 // of a difference: before
}

// An origin says to which process and thread a sample belongs, and what it is. A field is "" if it is unknown or does
// not apply.
type origin struct {
	process string // "4711 server"; in a difference "server"
	thread  string // that made it: "4712 worker"; in a difference "worker"
	kind    string // docs/kinds.md, of what is mapped
	file    string // the path of the mapped file
	call    string // the system call, of what calls did
}

// values returns those that were measured, in their order.
func (p *Profile) values() (list []Value) {
	for _, v := range Values() {
		if v != Resident || p.counted {
			list = append(list, v)
		}
	}
	return list
}

// Minus returns the difference between p and before, sample by sample. Two stacks are the same if their functions are.
func (p *Profile) Minus(before *Profile) *Profile {
	d := *p
	d.difference, d.samples = true, nil
	d.counted = p.counted && before.counted // else what has come is not known
	d.uncounted += before.uncounted
	by := map[string]*sample{}
	add := func(list []*sample, put func(to, from *sample)) {
		for _, s := range list {
			key := s.key()
			t := by[key]
			if t == nil {
				t = &sample{origin: s.origin, frames: s.frames, words: s.words}
				by[key] = t
				d.samples = append(d.samples, t)
			}
			put(t, s)
		}
	}
	add(p.samples, func(to, from *sample) { to.add(from) })
	add(before.samples, func(to, from *sample) {
		for v := range from.now {
			to.was[v] += from.now[v]
		}
	})
	return &d
}

func (s *sample) add(o *sample) {
	for v := range o.now {
		s.now[v] += o.now[v]
	}
}

// key is equal for samples of the same origin and the same functions.
func (s *sample) key() string {
	var b strings.Builder
	for _, w := range [...]string{s.process, s.thread, s.kind, s.file, s.call, s.words} {
		b.WriteString(w)
		b.WriteByte(0)
	}
	for i := range s.frames {
		b.WriteString(s.frames[i].Label())
		b.WriteByte(0)
	}
	return b.String()
}

// names returns the names of the sample's functions, innermost first, or words where no call is to blame.
func (s *sample) names() []string {
	if len(s.frames) == 0 {
		return []string{s.words}
	}
	list := make([]string, len(s.frames))
	for i := range s.frames {
		list[i] = s.frames[i].Label()
	}
	return list
}

// Cut reports whether the log ends without its end line.
func (p *Profile) Cut() bool { return p.at.Cut }
