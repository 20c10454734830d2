package classify

import (
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// Event is what rules may know about the event that made a mapping (its origin). It is small, as the caller
// keeps one for each origin of which something is left. Fields that the call does not have are zero.
type Event struct {
	Seq  uint64
	T    int64  // nanoseconds since the recording began
	Call string // the kernel's name, "mmap"
	// Addr, Length, Prot and Flags are the call's arguments of these names (mremap: Length is new_size;
	// brk: Addr is the argument); Result is the address it returned.
	Addr, Length, Prot, Flags, Result uint64
	FD                                int64 // -1 for none
	PID, TID                          int
	Stack                             int // id for Space.Frames, 0 for none
	// Over is the event that had made the first page that this one replaced (MAP_FIXED) or moved (mremap),
	// nil if there was none. Where that event was itself mapped over an
	// older one, Over is the oldest: the chain has at most one link, as NewOver makes it.
	Over *Event
}

// NewOver returns the Over of an event that replaces or moves a page made by was, which may be nil.
func NewOver(was *Event) *Event {
	if was != nil && was.Over != nil {
		return was.Over
	}
	return was
}

// Thread is a thread that runs in the space, or ran there.
type Thread struct {
	TID, PID int
	Name     string
	SP, TLS  uint64 // stack and thread pointer at its first stop, 0 where unknown
	Start    int64  // nanoseconds since the recording began
	End      int64  // 0 while it lives
	Creator  int    // tid, 0 where unknown
}

// Space is one address space at one moment, as the rules see it. Any of the function fields may be nil.
type Space struct {
	PID     int
	Exe     string
	Entries []ledger.Entry // ascending; Classify only reads them
	// AnonName is the name that the kernel shows for entry i without "[anon:" and "]", "" for none. The
	// entry's own path "[anon:…]" counts too.
	AnonName func(i int) string
	// Event returns the event of that seq, nil where it is not known.
	Event func(seq uint64) *Event
	// Frames yields the functions of a stack, innermost first, inlined ones included.
	Frames func(stack int, yield func(callers.Call) bool)
	// Role returns the role of a mapped file, if the recording has examined it.
	Role func(vm.File) callers.Role
	// Addresses yields the return addresses of a stack, innermost first, as offsets in their files: the same
	// code gives the same address in every stack.
	Addresses func(stack int, yield func(addr uint64) bool)
	// Threads are in order of their start. One that has ended matters because its stack may be kept for reuse.
	Threads []Thread
	// Content are the findings from inspecting memory when the recording began. They hold for mappings older than
	// that. No entry extends over the end of a part (CutAtParts).
	Content []Finding
}

// Confidence says in a word how sure a verdict is.
type Confidence string

// The confidences.
const (
	Certain Confidence = "certain" // the kernel, the allocator's own functions, or a pattern nothing else makes
	Likely  Confidence = "likely"  // a pattern that others could make but hardly do
	Guess   Confidence = "guess"   // size and place only
)

// Verdict is what one entry is.
type Verdict struct {
	Kind       Kind
	Name       string // words for people: "glibc malloc arena"; that of Kind, or a closer one
	Plural     string // the name of several
	Detail     string // which one: "of thread 9838 worker", "libc.so.6"; may be ""
	TID        int    // the thread it belongs to, 0 for none
	Confidence Confidence
	Evidence   string // what the verdict rests on, one clause
	Books      *Books // what the allocator's own figures said when the recording began, of the whole group
	// Group is the same for entries that are parts of one object: an arena's committed and reserved part, a
	// stack and its guard, the segments of one loaded ELF file. It is 1 or more; numbers rise in the order
	// in which the objects were found.
	Group int
}

// name sets the name of d.
func (d *Verdict) name(w Words) { d.Name, d.Plural = w.One, w.Many }

// Words returns the name of d.
func (d *Verdict) Words() Words { return Words{d.Name, d.Plural} }

// Classify returns a verdict for each entry of s. The same space gives the same verdicts.
func (c *Catalogue) Classify(s *Space) []Verdict {
	v := newView(c, s)
	for _, r := range rules {
		r.find(v)
	}
	return v.out
}
