package analysis

import (
	"fmt"
	"path"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/strace"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// A watcher collects what happens at one address while a log is read.
type watcher struct {
	HistoryOptions
	addr uint64
	of   map[int]*watched // by space
}

// watched is one address space under a watcher.
type watched struct {
	space    *eventlog.SpaceState
	parent   *watched // of a fork: the space that it copies, whose steps come first
	upto     int      // how many of the parent's steps
	steps    []Step
	fixed    int // how many steps a fork shares: they must not be changed
	now      ledger.Entry
	mapped   bool
	finished bool
}

// place sets the range of a step, and what is mapped there.
func (st *Step) place(r vm.Range, what string) {
	st.Start, st.End, st.Text = eventlog.Hex(r.Start), eventlog.Hex(r.End), what
}

// begin handles the start of a space.
func (w *watcher) begin(r *eventlog.Space, p *eventlog.Replay) {
	sp := p.Space(r.Space)
	c := &watched{space: sp}
	w.of[r.Space] = c
	c.now, c.mapped = sp.Ledger.At(w.addr)
	if !c.mapped {
		return
	}
	st := Step{T: r.T, PID: r.PID, What: "mapped"}
	st.place(c.now.Range, entryText(&c.now))
	switch r.Cause {
	case "fork":
		st.What = "forked"
		if q := w.of[sp.Parent]; q != nil {
			c.parent, c.upto = q, len(q.steps)
			q.fixed = c.upto
		}
	case "attach":
		st.What = "found"
	case "segment":
		if c.now.Origin.Cause == ledger.BeforeAttach {
			st.What = "found"
		}
	}
	c.steps = append(c.steps, st)
}

// origin handles the record of an event in an earlier segment of the log, which made a mapping that this segment
// starts with.
func (w *watcher) origin(r *eventlog.Origin) {
	for _, c := range w.of {
		if !c.mapped || c.now.Origin.Event != r.Seq || len(c.steps) != 1 || c.steps[0].Event != 0 {
			continue
		}
		st := &c.steps[0]
		st.T, st.Event, st.PID, st.TID, st.call = r.T, r.Seq, r.PID, r.TID, r.Call
		if c.now.Moved != nil {
			st.What = "moved in"
		}
		if r.Event.Stack != nil {
			st.Stack = *r.Event.Stack
		}
		for i := range r.Changes {
			ch := &r.Changes[i]
			if uint64(ch.Start) <= w.addr && w.addr < uint64(ch.End) && ch.Now != nil {
				st.Start, st.End = ch.Start, ch.End
			}
		}
		if w.Calls {
			st.Call = string(strace.AppendCall(nil, &r.Event))
		}
	}
}

// touches reports whether changes may concern the mapping at the address.
func (c *watched) touches(addr uint64, changes []eventlog.Change) bool {
	for i := range changes {
		from, to := uint64(changes[i].Start), uint64(changes[i].End)
		if from <= addr && addr < to || c.mapped && from <= c.now.End && c.now.Start <= to {
			return true
		}
	}
	return false
}

// event takes an event or a drift (Event 0) of a space, after it has been replayed. describe writes the call.
func (w *watcher) event(sp *eventlog.SpaceState, changes []eventlog.Change, st Step, describe func() string) {
	c := w.of[sp.ID]
	if c == nil || !c.touches(w.addr, changes) {
		return
	}
	was, had := c.now, c.mapped
	c.now, c.mapped = sp.Ledger.At(w.addr)
	now := c.now
	st.place(now.Range, entryText(&now))
	switch {
	case !had && !c.mapped:
		return
	case !had:
		st.What = "mapped"
		if now.Moved != nil {
			st.What = "moved in"
		} else if len(c.steps) > 0 {
			st.Reused = true
		}
	case !c.mapped:
		st.What = "freed"
		st.place(removed(changes, w.addr), "")
		if st.call == "mremap" {
			st.What = "moved away"
		}
	case was.Origin != now.Origin:
		st.What = "overlaid"
		if now.Moved != nil {
			st.What = "moved in"
		}
	case was.Perms != now.Perms:
		st.What = "protected"
		st.Text = was.Perms.String() + " -> " + now.Perms.String()
	case was.File.Path != now.File.Path:
		st.What = "named"
		st.Text = now.File.Path
	case was.Range == now.Range:
		return
	case now.Range.Covers(was.Range):
		st.What = "grew"
	default:
		st.What = "split"
	}
	if st.Event == 0 {
		st.Text += " (drift: " + st.call + ")"
	}
	if w.Calls && describe != nil {
		st.Call = describe()
	}
	c.add(st, w.Stacks)
}

// advised handles a call of madvise(2) that moved pages, the one at the address among them.
func (w *watcher) advised(sp *eventlog.SpaceState, r *eventlog.Advice) {
	c := w.of[sp.ID]
	at, ok := r.Range()
	if c == nil || !c.mapped || !ok || !at.Contains(w.addr) {
		return
	}
	what := strace.Value(r.Call, "advice", uint64(r.Kind()))
	switch {
	case r.Error != "":
		what += " failed: " + r.Error
	case r.Before != nil && r.Left != nil:
		what = fmt.Sprintf("%s -> %s in memory: %s", text.Size(*r.Before), text.Size(*r.Left), what)
	}
	st := Step{T: r.T, PID: r.PID, TID: r.TID, What: "advised", call: r.Call}
	st.place(at, what)
	if r.Stack != nil {
		st.Stack = *r.Stack
	}
	if w.Calls {
		st.Call = string(strace.AppendCall(nil, r.AsEvent()))
	}
	c.add(st, w.Stacks)
}

// removed returns the range around addr that changes unmap.
func removed(changes []eventlog.Change, addr uint64) vm.Range {
	r := vm.Range{Start: addr, End: addr}
	for i := range changes {
		if changes[i].Now != nil {
			continue
		}
		x := vm.Range{Start: uint64(changes[i].Start), End: uint64(changes[i].End)}
		switch {
		case x.Contains(addr) && r.Empty():
			r = x
		case r.Empty():
		case x.Start == r.End:
			r.End = x.End
		}
	}
	return r
}

// entryText names what an entry shows in /proc/PID/maps: "rw-p anonymous", "r-xp libc.so.6".
func entryText(e *ledger.Entry) string {
	if e.File.Path == "" {
		return e.Perms.String() + " anonymous"
	}
	return e.Perms.String() + " " + path.Base(e.File.Path)
}
