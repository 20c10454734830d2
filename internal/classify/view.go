package classify

import (
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// A rule claims the entries that it recognises, and never one that an earlier rule has claimed.
type rule struct {
	name string // for the test of the list
	find func(*view)
}

// view is a space while the rules are applied to it.
type view struct {
	*Space
	known   *Catalogue
	out     []Verdict
	events  []*Event // of each entry, nil where unknown
	groups  int
	claims  int
	lastRun lastRun
	chains  map[int]*chain
	images  map[callers.Module]bool // the loaded files with code; see has
	active  int64                   // see lastActivity
	byTID   map[int][]*Thread
	libc    string          // "glibc", "musl", "?"; see isLibc
	mallocs map[string]bool // files that hold glibc's malloc; see holdsGlibc
	makers  map[int]*Event  // of stacks that threads began on, by their call stacks; see makesThreads
	small   int             // see smallStacks
	golang  int             // 1: there is a Go runtime, -1: there is none, 0: not asked yet; see isGo
	tops    []uint64        // the first stack pointers of all threads, ascending; see stacksIn
	owners  map[int]*Thread // by the entry that the thread began in; see stackOwner
}

func newView(c *Catalogue, s *Space) *view {
	v := &view{Space: s, known: c, out: make([]Verdict, len(s.Entries)), events: make([]*Event, len(s.Entries)), chains: map[int]*chain{}}
	if s.Event != nil {
		for i := range s.Entries {
			if seq := s.Entries[i].Origin.Event; seq != 0 {
				v.events[i] = s.Event(seq)
			}
		}
	}
	return v
}

// free yields the entries that no rule has claimed, ascending. A rule may claim entries during the iteration.
func (v *view) free(yield func(i int, e *ledger.Entry) bool) {
	for i := range v.Entries {
		if v.out[i].Kind == "" && !yield(i, &v.Entries[i]) {
			return
		}
	}
}

// claimed reports whether entry i has a verdict.
func (v *view) claimed(i int) bool { return v.out[i].Kind != "" }

// group returns the number of a new object.
func (v *view) group() int {
	v.groups++
	return v.groups
}

// claim gives entry i its verdict unless it has one. Without a group it gets a new one, without a name
// that of its kind.
func (v *view) claim(i int, d Verdict) {
	if v.claimed(i) {
		return
	}
	if d.Group == 0 {
		d.Group = v.group()
	}
	if d.Name == "" {
		d.name(v.known.Row(d.Kind).Words)
	}
	if d.Confidence == "" {
		d.Confidence = Certain
	}
	v.out[i] = d
	v.claims++
}

// claimAll gives the entries from i to j one verdict, as parts of one object.
func (v *view) claimAll(i, j int, d Verdict) {
	if d.Group == 0 {
		d.Group = v.group()
	}
	for ; i < j; i++ {
		v.claim(i, d)
	}
}

// beside reports whether entry j begins where its predecessor ends.
func (v *view) beside(j int) bool {
	return j > 0 && j < len(v.Entries) && v.Entries[j-1].End == v.Entries[j].Start
}

// root returns the oldest known event of entry i: the reservation it was mapped over, or its origin.
func (v *view) root(i int) *Event {
	if e := v.events[i]; e != nil && e.Over != nil {
		return e.Over
	}
	return v.events[i]
}

// run returns the end of the unclaimed, adjacent entries from i on that have the same root
// event; i must be unclaimed. Who asks for every entry of a run gets the answer of the first: a mapping may be in tens of
// thousands of pieces.
func (v *view) run(i int) int {
	r := v.root(i)
	if r == nil {
		return i + 1
	}
	if l := &v.lastRun; l.claims == v.claims && l.begin <= i && i < l.end {
		return l.end
	}
	j := i + 1
	for j < len(v.Entries) && v.beside(j) && !v.claimed(j) && v.root(j) == r {
		j++
	}
	v.lastRun = lastRun{i, j, v.claims}
	return j
}

// lastRun is what run has answered, after so many claims.
type lastRun struct{ begin, end, claims int }

// at returns the entry that contains addr, -1 for none.
func (v *view) at(addr uint64) int {
	lo, hi := 0, len(v.Entries)
	for lo < hi {
		m := int(uint(lo+hi) >> 1)
		if v.Entries[m].End <= addr {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo < len(v.Entries) && v.Entries[lo].Contains(addr) {
		return lo
	}
	return -1
}

// anonymous reports whether e is private memory of no file.
func anonymous(e *ledger.Entry) bool { return e.Perms&vm.Shared == 0 && !e.File.Backed() }

// accessible reports whether e allows any access.
func accessible(e *ledger.Entry) bool { return e.Perms&(vm.Read|vm.Write|vm.Exec) != 0 }

// anonymous reports whether e is an mmap of private memory of no file.
func (e *Event) anonymous() bool {
	return e.Call == "mmap" && e.Flags&vm.MapAnonymous != 0 && e.Flags&vm.MapTypeMask == vm.MapPrivate
}

// fixed reports whether e was mapped at the address it named.
func (e *Event) fixed() bool { return e.Flags&(vm.MapFixed|vm.MapFixedNoReplace) != 0 }
