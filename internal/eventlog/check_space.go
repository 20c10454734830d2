package eventlog

import (
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

func validTime(s string) bool {
	_, err := time.Parse(time.RFC3339, s)
	return err == nil
}

// space checks the beginning of an address space.
func (c *checker) space(r *Space) {
	c.must(r.Space > 0 && r.PID > 0, "space %d of process %d: not a positive number", r.Space, r.PID)
	if err := c.p.Put(r); err != nil {
		c.problem("space %d: %v", r.Space, err)
	}
	for i := 1; i < len(r.Mappings); i++ {
		if !c.must(r.Mappings[i-1].End <= r.Mappings[i].Start, "space %d: mapping %d is not above the one before it", r.Space, i) {
			break
		}
	}
	s := c.p.Space(r.Space)
	mode := c.p.header.Mode
	switch r.Cause {
	case "launch", "attach":
		c.must(r.Parent == nil && r.After == 0, "space %d: begins by %s, but after something", r.Space, r.Cause)
		c.must((mode == "run") == (r.Cause == "launch"), "space %d: begins by %s in a recording by %s", r.Space, r.Cause, mode)
		want := ledger.Origin{Cause: ledger.Kernel}
		if r.Cause == "attach" {
			want = ledger.Origin{Cause: ledger.BeforeAttach}
		}
		c.allFrom(s, want)
	case "exec":
		c.execSpace(s)
	case "fork":
		c.forkSpace(s)
	default:
		c.problem("space %d: cause %q is none of launch, attach, fork, exec", r.Space, r.Cause)
	}
}

// allFrom checks that everything in a space that begins has the same origin.
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
	seq := s.After
	for e := range s.Ledger.All {
		if e.Origin.Cause == ledger.Kernel {
			seq = e.Origin.Exec
		}
		break
	}
	if of, ok := c.execs[seq]; !ok {
		c.problem("space %d: event %d is no execve that succeeded", s.ID, seq)
	} else {
		c.must(of == parent.ID, "space %d: its execve, event %d, is one of space %d, not of its parent %d", s.ID, seq, of, parent.ID)
		c.must(s.After >= seq, "space %d: begins after event %d, before its execve, event %d", s.ID, s.After, seq)
	}
	c.allFrom(s, ledger.Origin{Cause: ledger.Kernel, Exec: seq})
}

// forkSpace holds the child's mappings against the parent's ledger at the moment of the fork.
func (c *checker) forkSpace(s *SpaceState) {
	parent := c.p.Space(s.Parent)
	if !c.must(parent != nil && parent != s, "space %d: begins by fork, but its parent %d is not known", s.ID, s.Parent) {
		return
	}
	child := s.Ledger.Clone() // the comparison may have to wait for the parent's event
	line := c.line
	err := c.p.when(parent, s.After, func() error {
		may := func(was, now *ledger.Entry) bool { return c.forkMayDiffer(parent, was, now) }
		c.differences(line, "space", s.ID, "its parent had", parent.Ledger, "it begins with", child, may)
		return nil
	})
	if err != nil {
		c.problem("space %d: %v", s.ID, err)
	}
}

// forkMayDiffer tells whether a fork explains that the child has now where the parent had was.
func (c *checker) forkMayDiffer(parent *SpaceState, was, now *ledger.Entry) bool {
	if now != nil {
		// What no call explains is the child's own; so is growth of a stack that the parent's ledger has
		// not seen yet.
		return now.Origin.Cause == ledger.Drift || now.Origin.Cause == ledger.StackGrowth
	}
	if was.Origin.Cause != ledger.FromEvent || was.Moved != nil {
		return true // an madvise(MADV_DONTFORK) may have been before the recording, or at the old place
	}
	if was.File.Path == "[uprobes]" || strings.HasPrefix(was.File.Path, "/dev/") || strings.HasPrefix(was.File.Path, "/[aio]") ||
		strings.HasPrefix(was.File.Path, "anon_inode:") || strings.HasPrefix(was.File.Path, "socket:") {
		return true // drivers set VM_DONTCOPY themselves
	}
	a := c.apart[parent.ID]
	return a != nil && a.Covered(was.Range)
}

// differences reports at line the first differences between two ledgers, but for those that may be.
func (c *checker) differences(line int, what string, id int, aSays string, a *ledger.Ledger, bSays string, b *ledger.Ledger, may func(x, y *ledger.Entry) bool) {
	shown := 0
	compare(a, b, func(r vm.Range, x, y *ledger.Entry) bool {
		if may(x, y) {
			return true
		}
		c.report(Problem{line, c.p.seq, sprintDifference(what, id, r, aSays, x, bSays, y)})
		shown++
		return shown < mostDifferences
	})
}

func (c *checker) snapshot(r *Snapshot) {
	s := c.p.Space(r.Space)
	if !c.must(s != nil, "snapshot: space %d is not known", r.Space) {
		return
	}
	c.must(r.Cause != "", "snapshot of space %d: no cause", r.Space)
	l := ledger.New()
	last := Hex(0)
	for i := range r.Mappings {
		m := &r.Mappings[i].Mapping
		e, err := c.conv.entry(m.Start, m.End, &m.Attr)
		if err != nil {
			c.problem("snapshot of space %d: mapping %d: %v", r.Space, i, err)
			return
		}
		if !c.must(m.Start >= last, "snapshot of space %d: mapping %d is not above the one before it", r.Space, i) {
			return
		}
		last = m.End
		l.Add(e, nil)
	}
	line := c.line
	err := c.p.when(s, r.After, func() error {
		none := func(_, _ *ledger.Entry) bool { return false }
		c.differences(line, "snapshot of space", s.ID, "the ledger has", s.Ledger, "it shows", l, none)
		return nil
	})
	if err != nil {
		c.problem("snapshot of space %d: %v", r.Space, err)
	}
}
