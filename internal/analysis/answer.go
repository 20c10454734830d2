package analysis

import (
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// An answer (Blame, History, Diff, ...) is a value that holds everything its text says; its JSON is its encoding.
// This file has what answers have in common. Sizes are bytes, times are nanoseconds since the recording began;
// nil means not measured.

// Type identifies what a JSON document, or a part of one, is.
type Type string

// At is the moment of a log that an answer is about.
type At struct {
	Moment string `json:"moment"`         // as it was asked for
	T      int64  `json:"t"`              // when that is
	Seq    uint64 `json:"seq"`            // the last event before it, 0 for none
	Cut    bool   `json:"cut"`            // the log ends without its end line
	Only   string `json:"only,omitempty"` // in words, what was chosen of the log; absent for all
}

func (s *State) at() At {
	a := At{Moment: s.Moment.String(), T: s.T, Seq: s.Seq, Cut: s.Cut}
	if s.only != nil {
		a.Only = s.only.words()
	}
	return a
}

// Who says who made something: a chain of calls, or words if no traced call did.
type Who = callers.Chain

// A Range is a mapping of the ledger, or a part of it: what it is and who made it.
type Range struct {
	Start      eventlog.Hex        `json:"start"`                  // its first address
	End        eventlog.Hex        `json:"end"`                    // the first address behind it
	Bytes      int64               `json:"bytes"`                  // its length
	Perms      string              `json:"perms"`                  // the second column of /proc/PID/maps
	Path       string              `json:"path"`                   // of its file, or the name that the kernel gives it, "" for none
	Backed     bool                `json:"backed,omitempty"`       // path is that of a file
	Offset     uint64              `json:"offset"`                 // bytes into the file
	Label      string              `json:"label"`                  // what it is, in words: name and detail
	Kind       classify.Kind       `json:"kind"`                   // the stable word for what it is: docs/kinds.md
	Name       string              `json:"name"`                   // the kind in words, or a closer one
	Detail     string              `json:"detail,omitempty"`       // which one: of which thread, of which file
	Owner      int                 `json:"owner_tid,omitempty"`    // tid of the thread that it belongs to
	Confidence classify.Confidence `json:"confidence"`             // how sure the kind is: certain, likely or guess
	Evidence   string              `json:"evidence"`               // what the kind rests on
	Resident   *int64              `json:"resident"`               // bytes in memory; null where the snapshot does not have it
	Origin     *uint64             `json:"origin"`                 // seq of the event that made it, null where none did
	Cause      string              `json:"origin_cause,omitempty"` // where no event made it: what did
	Call       string              `json:"call,omitempty"`         // of that event: the system call
	T          *int64              `json:"t,omitempty"`            // of that event
	PID        int                 `json:"pid,omitempty"`          // of that event
	TID        int                 `json:"tid,omitempty"`          // of that event
	Thread     string              `json:"thread,omitempty"`       // the name of that thread then
	Stack      int                 `json:"stack,omitempty"`        // of that event: the log's number of the stack
	Who
}

// rangeOf returns the part of x, a mapping of p, that lies in r.
func (s *State) rangeOf(p *process, x *mapping, r vm.Range) Range {
	m := x.Slice(r)
	j := Range{
		Start: eventlog.Hex(m.Start), End: eventlog.Hex(m.End), Bytes: int64(m.Len()), Perms: m.Perms.String(), Path: m.File.Path, Backed: m.File.Backed(),
		Offset: m.Offset, Label: kindDetail(x), Kind: x.Kind, Name: x.Name, Detail: x.Detail, Owner: x.TID, Confidence: x.Confidence, Evidence: x.Evidence,
		Cause: x.Origin.Cause.String(), Who: s.who(p, x),
	}
	if f := x.part(r); f.asked > 0 {
		j.Resident = &f.rss
	}
	if x.Origin.Event != 0 || x.event != nil {
		j.Origin = ptr(x.Origin.Event)
	}
	if e := x.event; e != nil {
		j.Call, j.T, j.PID, j.TID, j.Stack = e.Call, ptr(e.T), e.PID, e.TID, e.Stack
		j.Thread = s.threads.name(e.TID, e.T)
	}
	return j
}

// part returns the figures of the part of x that lies in r, in proportion to its length.
func (x *mapping) part(r vm.Range) usage {
	if r = r.Intersect(x.Range); r.Empty() {
		return usage{}
	}
	return x.usage.part(r, x.Range)
}

// A Frame is a function on a stack, or one inlined into it.
type Frame struct {
	Function string       `json:"function,omitempty"` // demangled; absent where no symbol covers the address
	Module   string       `json:"module"`             // path of the file, or what stands for one: "[vdso]"
	Offset   eventlog.Hex `json:"offset"`             // in the module, as the stack record has it
	Start    eventlog.Hex `json:"start,omitempty"`    // where the function begins
	File     string       `json:"file,omitempty"`     // of the source
	Line     int          `json:"line,omitempty"`     // in the source
	Inlined  bool         `json:"inlined,omitempty"`  // the function was inlined into the next one
	Omitted  int          `json:"omitted,omitempty"`  // number of frames in the middle that were not recorded and that this element stands for; it has no function, module "" and offset 0
	buildID  string       // of the module, "" for none
	in       callers.Module
}

// BuildID returns the build id of the frame's module, "" if it has none.
func (f *Frame) BuildID() string { return f.buildID }

// Label names the frame: its function, or the file and the address in it.
func (f *Frame) Label() string {
	return callers.Call{Function: f.Function, Module: f.in, Address: uint64(f.Offset), Omitted: f.Omitted}.Label()
}

// Frames returns the frames of a stack, innermost first, and why unwinding ended early.
func (n *Names) Frames(stack int) (list []Frame, end string) {
	for st := range n.walk(stack) {
		list = append(list, Frame{st.name, st.module, eventlog.Hex(st.addr), eventlog.Hex(st.start), st.file, st.line, st.inlined, st.omitted, st.buildID, st.in})
	}
	return list, n.stackEnd(stack)
}

// Totals are sums over mappings.
type Totals struct {
	Reserved  int64  `json:"reserved"`                // bytes of address space
	Committed int64  `json:"committed"`               // those of them that can be accessed in some way, or that are in memory although they cannot
	Resident  *int64 `json:"resident"`                // those in memory; null where the log has no figures
	Uncounted int64  `json:"uncounted,omitempty"`     // reserved bytes that no snapshot counted, so that more may be in memory
	Shared    *int64 `json:"pss,omitempty"`           // resident bytes, what is shared divided among those who share it
	Dirty     *int64 `json:"private_dirty,omitempty"` // resident bytes that are this process's alone and were written to
	Swapped   *int64 `json:"swapped,omitempty"`       // bytes in swap space
	Common    *int64 `json:"shared,omitempty"`        // resident bytes that other processes map too, or this one at other places
	Huge      *int64 `json:"huge,omitempty"`          // resident bytes in huge pages
	Locked    *int64 `json:"locked,omitempty"`        // resident bytes that are locked in memory, of shared pages the share
	Free      *int64 `json:"free,omitempty"`          // accessible bytes that are free according to the allocator's own figures; only in a map
	Count     int    `json:"count"`                   // stacks, arenas, files: what a person counts, each once; one with parts in several rows counts in each of them
	Mappings  int    `json:"mappings"`                // entries of the ledger, or parts of one that memory told apart
}

// Add adds o. If only one of the two has a figure, that is taken for the sum, and Uncounted says how much was not
// counted.
func (s *Totals) Add(o *Totals) {
	s.Reserved += o.Reserved
	s.Committed += o.Committed
	s.Uncounted += o.Uncounted
	s.Resident, s.Shared = plus(s.Resident, o.Resident), plus(s.Shared, o.Shared)
	s.Dirty, s.Swapped = plus(s.Dirty, o.Dirty), plus(s.Swapped, o.Swapped)
	s.Common, s.Huge, s.Locked = plus(s.Common, o.Common), plus(s.Huge, o.Huge), plus(s.Locked, o.Locked)
	s.Count += o.Count
	s.Mappings += o.Mappings
}

// plus returns the sum of two figures, either of which may be unknown.
func plus(a, b *int64) *int64 {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return ptr(*a + *b)
}

func (p *process) totalsOf(n *totals) Totals {
	j := Totals{Reserved: n.reserved, Committed: n.committed, Uncounted: n.reserved - n.asked, Count: n.objects, Mappings: n.mappings}
	if n.asked > 0 || n.reserved == 0 && p.taken >= 0 {
		j.Resident = ptr(n.rss)
		j.Shared, j.Dirty, j.Swapped = ptr(n.pss), ptr(n.dirty), ptr(n.swap)
	}
	if j.Resident != nil && p.figures != nil && p.figures.system != nil {
		j.Common, j.Huge, j.Locked = ptr(n.shared), ptr(n.huge), ptr(n.locked)
	}
	j.Free = n.free
	return j
}
