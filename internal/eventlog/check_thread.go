package eventlog

import "fmt"

// threadChecks is what the check knows of threads.
type threadChecks struct {
	live      map[int]checkedThread  // by tid
	processes map[int]checkedProcess // by pid: those with live threads
	users     map[int]*spaceUsers    // by space
	roots     map[int]bool           // the processes that were launched or attached to
	forked    bool                   // children are recorded
}

type checkedThread struct {
	pid, space int
	execed     uint64 // this thread's last successful execve, if nothing has followed it yet
}

type checkedProcess struct{ space, threads int }

// spaceUsers counts the threads of a space. fitted are the stacks already found to fit its code.
type spaceUsers struct {
	ever, now int
	fitted    map[int]bool
	blind     bool // the space's mappings could not be read when it began
}

// isBlind reports whether the space's mappings could not be read when it began. u may be nil.
func (u *spaceUsers) isBlind() bool { return u != nil && u.blind }

// execution is an execve that succeeded.
type execution struct {
	space, pid, tid int
	used            bool // a space has begun with it
}

// thread checks the sequence of a thread's lines: one start, its execs, one exit.
func (c *checker) thread(r *Thread) {
	c.must(r.TID > 0 && r.PID > 0, "thread %d of process %d: not a positive number", r.TID, r.PID)
	s := c.p.Space(r.Space)
	if !c.must(s != nil, "thread %d: space %d is not known", r.TID, r.Space) {
		return
	}
	c.must(r.Exit == nil || r.What == "exit", "thread %d: %s, and how its process ended", r.TID, r.What)
	c.exit(r.Exit, fmt.Sprintf("thread %d", r.TID))
	switch r.What {
	case "start":
		c.threadStarts(r, s)
	case "exec":
		c.threadExecs(r, s)
	case "exit":
		t, ok := c.live[r.TID]
		if !c.must(ok, "thread %d: ends, but has not started", r.TID) {
			return
		}
		c.must(t.pid == r.PID && t.space == r.Space, "thread %d: ends as one of process %d in space %d, and was one of process %d in space %d", r.TID, r.PID, r.Space, t.pid, t.space)
		if e := c.execs[t.execed]; e != nil && r.TID == r.PID && !e.used {
			// Only a child that is not followed is released when it executes a program.
			c.must(!c.forked && !c.roots[r.PID], "thread %d: its execve, event %d, succeeded, and no address space began", r.TID, t.execed)
		}
		c.threadLeaves(r.TID)
	default:
		c.problem("thread %d: what %q is none of start, exec, exit", r.TID, r.What)
	}
}

func (c *checker) threadStarts(r *Thread, s *SpaceState) {
	if !c.must(c.live[r.TID].pid == 0, "thread %d: starts a second time", r.TID) {
		return
	}
	p, known := c.processes[r.PID]
	switch {
	case known:
		c.must(p.space == r.Space, "thread %d: in space %d, and its process %d is in %d", r.TID, r.Space, r.PID, p.space)
	case c.header.Mode == "run" && s.Cause != "segment":
		c.must(r.TID == r.PID, "thread %d: of process %d, which has not started", r.TID, r.PID)
	}
	if c.usersOf(s.ID).ever == 0 && s.Cause != "segment" {
		c.must(r.PID == s.PID, "thread %d: the first in space %d, and not of its process %d", r.TID, s.ID, s.PID)
		c.must(s.Cause != "exec", "thread %d: starts in a space that begins by exec", r.TID)
	}
	c.threadEnters(r)
}

func (c *checker) threadExecs(r *Thread, s *SpaceState) {
	c.must(r.TID == r.PID, "thread %d: executes a program, and is not its process %d", r.TID, r.PID)
	c.must(c.usersOf(s.ID).ever == 0, "thread %d: executes a program in space %d, which others use", r.TID, s.ID)
	c.must(s.PID == r.PID, "thread %d: of process %d, executes a program in the space of process %d", r.TID, r.PID, s.PID)
	before, alive := c.live[r.TID]
	switch s.Cause {
	case "exec":
		e := c.execs[s.After]
		c.must(alive && before.space == s.Parent || !alive && e != nil && e.tid != r.TID || !alive && c.before(s.After), "thread %d: executes a program, and has not started", r.TID)
	case "attach": // its execve began before the recording
	default:
		c.problem("thread %d: executes a program in a space that begins by %s", r.TID, s.Cause)
	}
	c.threadLeaves(r.TID)
	c.must(c.processes[r.PID].threads == 0, "thread %d: executes a program, and others of its process remain", r.TID)
	c.threadEnters(r)
}

func (c *checker) usersOf(space int) *spaceUsers {
	u := c.users[space]
	if u == nil {
		u = &spaceUsers{}
		c.users[space] = u
	}
	return u
}

func (c *checker) threadEnters(r *Thread) {
	c.live[r.TID] = checkedThread{pid: r.PID, space: r.Space}
	c.processes[r.PID] = checkedProcess{r.Space, c.processes[r.PID].threads + 1}
	u := c.usersOf(r.Space)
	u.ever++
	u.now++
}

func (c *checker) threadLeaves(tid int) {
	t, ok := c.live[tid]
	if !ok {
		return
	}
	delete(c.live, tid)
	p := c.processes[t.pid]
	if p.threads--; p.threads <= 0 {
		delete(c.processes, t.pid)
	} else {
		c.processes[t.pid] = p
	}
	u := c.usersOf(t.space)
	if u.now--; u.now <= 0 {
		c.forget(t.space)
	}
}

// actor checks that the thread of an event is alive, in the process and space that the event names.
func (c *checker) actor(r *Event) {
	t, ok := c.live[r.TID]
	if !c.must(ok, "event %d: thread %d has not started, or has ended", r.Seq, r.TID) {
		return
	}
	c.must(t.pid == r.PID && t.space == r.Space, "event %d: thread %d is one of process %d in space %d, not of %d in %d", r.Seq, r.TID, t.pid, t.space, r.PID, r.Space)
	c.must(t.execed == 0, "event %d: of a thread that has executed another program, by event %d", r.Seq, t.execed)
	if r.Error == "" && (r.Call == "execve" || r.Call == "execveat") {
		t.execed = r.Seq
		c.live[r.TID] = t
		c.execs[r.Seq] = &execution{space: r.Space, pid: r.PID, tid: r.TID}
	}
}

// lives checks, at the end, that every space has had a thread, except for copies made by fork and for that of a saved list of mappings, and that each
// successful execve began a space.
func (c *checker) lives(r *End) {
	for _, s := range c.p.Spaces() {
		c.must(c.usersOf(s.ID).ever > 0 || s.Cause == "fork" || r.Cause == "segment" || c.header.Mode == "map", "end: space %d has no thread", s.ID)
	}
	if r.Cause == "segment" {
		return
	}
	for seq, e := range c.execs {
		c.must(e.used || !c.forked || r.Cause == "failed", "end: event %d is an execve that succeeded, and no space began by it", seq)
	}
}
