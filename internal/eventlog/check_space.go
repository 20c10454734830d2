package eventlog

import (
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// validTime reports whether s is a time in the format of RFC 3339.
func validTime(s string) bool {
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

// space checks the beginning of an address space.
func (c *checker) space(r *Space) {
	c.must(r.PID > 0 || r.PID == 0 && c.header.Mode == "map", "space %d: process %d: not a positive number", r.Space, r.PID)
	c.number("space", r.Space, &c.segment.Spaces, c.p.Space(r.Space) != nil)
	if err := c.p.Put(r); err != nil {
		c.problem("space %d: %v", r.Space, err)
	}
	for i := 1; i < len(r.Mappings); i++ {
		if !c.must(r.Mappings[i-1].End <= r.Mappings[i].Start, "space %d: mapping %d is not above the one before it", r.Space, i) {
			break
		}
	}
	s := c.p.Space(r.Space)
	if len(r.Mappings) == 0 || r.Blind || r.Parent != nil && r.Cause == "fork" && c.users[*r.Parent].isBlind() {
		c.usersOf(r.Space).blind = true // events of it and of its children are incomplete
	}
	mode := c.header.Mode
	for e := range s.Ledger.All {
		if !c.must(possible(&e), "space %d: no mapping can be (%v)", r.Space, e) {
			break
		}
	}
	switch r.Cause {
	case "launch", "attach":
		c.must(r.Parent == nil && r.After == 0, "space %d: begins by %s, but after something", r.Space, r.Cause)
		c.must((mode == "run") == (r.Cause == "launch"), "space %d: begins by %s in a recording by %s", r.Space, r.Cause, mode)
		c.roots[r.PID] = true
		want := ledger.Origin{Cause: ledger.Kernel}
		if r.Cause == "attach" {
			want = ledger.Origin{Cause: ledger.BeforeAttach}
		}
		c.allFrom(s, want)
	case "exec":
		c.execSpace(s)
	case "fork":
		c.forkSpace(s)
	case "segment":
		c.carried(s)
	default:
		c.problem("space %d: cause %q is none of launch, attach, fork, exec, segment", r.Space, r.Cause)
	}
}

// allFrom checks that every mapping of a new space has the origin want.
func (c *checker) allFrom(s *SpaceState, want ledger.Origin) {
	for e := range s.Ledger.All {
		if !c.must(e.Origin == want, "space %d: %v: its origin is %v, want %v", s.ID, e.Range, e.Origin, want) {
			return
		}
	}
}

func (c *checker) execSpace(s *SpaceState) {
	parent := c.p.Space(s.Parent)
	if !c.must(parent != nil && parent != s, "space %d: begins by exec, but its parent %d is not known", s.ID, s.Parent) {
		return
	}
	e := c.execs[s.After]
	if c.before(s.After) {
		c.allFrom(s, ledger.Origin{Cause: ledger.Kernel, Exec: s.After})
		return
	}
	if !c.must(e != nil, "space %d: event %d is no execve that succeeded", s.ID, s.After) {
		return
	}
	c.must(!e.used, "space %d: its execve, event %d, began another space", s.ID, s.After)
	e.used = true
	c.must(e.space == parent.ID, "space %d: its execve, event %d, is one of space %d, not of its parent %d", s.ID, s.After, e.space, parent.ID)
	c.must(e.pid == s.PID, "space %d: of process %d, and its execve, event %d, of process %d", s.ID, s.PID, s.After, e.pid)
	c.allFrom(s, ledger.Origin{Cause: ledger.Kernel, Exec: s.After})
}

// forkSpace compares the child's mappings with the parent's ledger at the moment of the fork.
func (c *checker) forkSpace(s *SpaceState) {
	parent := c.p.Space(s.Parent)
	if !c.must(parent != nil && parent != s, "space %d: begins by fork, but its parent %d is not known", s.ID, s.Parent) {
		return
	}
	c.forked = true
	c.must(c.processes[s.PID].threads == 0, "space %d: begins by fork for process %d, which runs in another", s.ID, s.PID)
	if err := parent.comesAfter(s.After); err != nil {
		c.problem("space %d: %v", s.ID, err)
	}
	may := func(was, now *ledger.Entry) bool { return c.forkMayDiffer(parent, was, now) }
	c.differences("space", s.ID, "its parent had", parent.Ledger, "it begins with", s.Ledger, may)
}

// forkMayDiffer reports whether a fork can turn the parent's entry was into the child's entry now.
func (c *checker) forkMayDiffer(parent *SpaceState, was, now *ledger.Entry) bool {
	if now != nil {
		// Drift is the child's own; so is stack growth that the parent's ledger has not seen yet.
		return now.Origin.Cause == ledger.Drift || now.Origin.Cause == ledger.StackGrowth
	}
	if was.Origin.Cause != ledger.FromEvent || was.Moved != nil || c.before(was.Origin.Event) {
		return true // madvise(MADV_DONTFORK) may have come before the recording or the segment, or before a move
	}
	if was.File.Path == "[uprobes]" || strings.HasPrefix(was.File.Path, "/dev/") || strings.HasPrefix(was.File.Path, "/[aio]") ||
		strings.HasPrefix(was.File.Path, "anon_inode:") || strings.HasPrefix(was.File.Path, "socket:") {
		return true // drivers set VM_DONTCOPY themselves
	}
	a := c.apart[parent.ID]
	return a != nil && a.Covered(was.Range)
}

// differences reports the first differences between two ledgers, except those that may accepts.
func (c *checker) differences(what string, id int, aSays string, a *ledger.Ledger, bSays string, b *ledger.Ledger, may func(x, y *ledger.Entry) bool) {
	shown := 0
	compare(a, b, func(r vm.Range, x, y *ledger.Entry) bool {
		if may(x, y) {
			return true
		}
		c.problem("%s", sprintDifference(what, id, r, aSays, x, bSays, y))
		shown++
		return shown < mostDifferences
	})
}
