package analysis

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// A History lists what happened at one address, in every address space that had something mapped there.
type History struct {
	Type Type `json:"type"` // "history"
	At
	Address  eventlog.Hex   `json:"address"`  // that was asked about
	Stacks   bool           `json:"stacks"`   // text shows calls and whole stacks
	Spaces   []SpaceHistory `json:"chapters"` // one an address space
	Nameless []Unnamed      `json:"nameless"` // files of whose code it shows addresses
}

// A SpaceHistory is the part of one address space.
type SpaceHistory struct {
	PID    int    `json:"pid"`    // the process that began it
	Space  int    `json:"space"`  // the log's number of it
	Name   string `json:"name"`   // what a person calls it, as in a report
	Exe    string `json:"exe"`    // path of its executable
	Steps  []Step `json:"steps"`  // of a fork, those before it first unless its parent has a history of its own here
	Now    *Range `json:"now"`    // what stands there at the moment, null for nothing
	Gone   bool   `json:"gone"`   // the address space was no longer in use at the moment
	Mapped bool   `json:"mapped"` // something stood at the address until then
}

// A Step is one thing that happened.
type Step struct {
	T      int64        `json:"t"`                // when
	Event  uint64       `json:"event,omitempty"`  // seq of the event that did it; absent where none did
	What   string       `json:"what"`             // the step's word: docs/answers.md, history
	Start  eventlog.Hex `json:"start"`            // first address of the mapping, or of what was freed
	End    eventlog.Hex `json:"end"`              // the first address behind that
	Text   string       `json:"text"`             // perms and file, or what changed
	Reused bool         `json:"reused,omitempty"` // something had been mapped there before
	Call   string       `json:"call,omitempty"`   // with its arguments, where they were asked for
	PID    int          `json:"pid,omitempty"`    // the process that did it
	TID    int          `json:"tid,omitempty"`    // the thread that did it
	Thread string       `json:"thread,omitempty"` // its name then
	Times  int          `json:"times,omitempty"`  // how many consecutive steps this one stands for; of "repeated": how often the steps before it were repeated
	Last   *int64       `json:"last,omitempty"`   // t of the last of them
	Steps  int          `json:"steps,omitempty"`  // of "repeated": how many steps before it were repeated
	Who
	Stack    int     `json:"stack,omitempty"`     // the log's number of the stack
	Frames   []Frame `json:"frames,omitempty"`    // the whole stack, where it was asked for
	StackEnd string  `json:"stack_end,omitempty"` // why the walk ended early

	call string // the kernel's name of the call
}

// HistoryOptions say how much a history tells.
type HistoryOptions struct {
	Calls  bool   // the calls with their arguments, and whole stacks
	Stacks bool   // text shows those, and every step on a line of its own even if it repeats
	Filter Filter // only its function, thread and time are used
}

// ReadHistory returns what happened at an address up to a moment of a log. If pids are given, only processes with one
// of them are included, with what they inherited by fork.
func ReadHistory(open Open, at Moment, pids []int, addr uint64, o HistoryOptions) (*History, error) {
	w := &watcher{addr: addr, HistoryOptions: o, of: map[int]*watched{}}
	s, err := load(open, at, pids, w, classify.Known())
	if err != nil {
		return nil, err
	}
	if o.Filter.any() {
		if err := o.Filter.find(open); err != nil {
			return nil, err
		}
		s.only = &o.Filter
	}
	h := &History{Type: "history", At: s.at(), Address: eventlog.Hex(addr), Stacks: o.Stacks, Spaces: []SpaceHistory{}}
	f := finisher{State: s, watcher: w, stacks: map[int]wholeStack{}, nameless: nameless{}}
	for _, c := range w.of {
		if len(c.steps) > 0 && wanted(pids, c.space.PID) {
			f.told = append(f.told, c)
		}
	}
	slices.SortFunc(f.told, func(a, b *watched) int { return cmp.Compare(a.space.ID, b.space.ID) })
	for _, c := range f.told {
		h.Spaces = append(h.Spaces, f.space(c))
	}
	h.Nameless = f.nameless.list()
	return h, nil
}

// wholeStack is a stack that several steps may share.
type wholeStack struct {
	frames []Frame
	end    string
}

// finisher turns what was watched into histories.
type finisher struct {
	*State
	*watcher
	told     []*watched
	stacks   map[int]wholeStack
	nameless nameless
}

func (f *finisher) space(c *watched) SpaceHistory {
	h := SpaceHistory{PID: c.space.PID, Space: c.space.ID, Name: f.nameOf(c.space, c.space.Began), Exe: c.space.Exe, Steps: f.steps(c), Gone: true, Mapped: c.mapped}
	if f.only != nil {
		h.Steps = slices.DeleteFunc(slices.Clone(h.Steps), func(st Step) bool { return st.What != Repeated && !f.choosesCall(st.Event, st.T, st.TID, st.Stack) })
	}
	for i := range h.Steps {
		st := &h.Steps[i]
		f.nameless.count(f.State, st.Calls)
		if f.Stacks {
			f.nameless.stack(f.State, st.Stack)
		}
	}
	for _, p := range f.processes {
		if p.ID != c.space.ID {
			continue
		}
		h.Gone = false
		if i, to := p.overlapping(vm.Range{Start: f.addr, End: f.addr + 1}); i < to {
			h.Now = ptr(f.rangeOf(p, &p.mappings[i], p.mappings[i].Range))
		}
	}
	return h
}

// steps returns the finished steps of c. The steps before a fork come first, unless the parent has a history of its
// own.
func (f *finisher) steps(c *watched) []Step {
	if !c.finished {
		c.finished = true
		for i := range c.steps {
			f.finish(c, &c.steps[i])
		}
	}
	if c.parent == nil || slices.Contains(f.told, c.parent) {
		return c.steps
	}
	before := f.steps(c.parent)
	// What the parent inherited itself, then the steps that it had taken before the fork.
	return slices.Concat(before[:len(before)-len(c.parent.steps)+c.upto], c.steps)
}

// finish adds to a step who did it.
func (f *finisher) finish(c *watched, st *Step) {
	if st.What == Repeated {
		return
	}
	if st.Reused {
		st.Text += " (reused)"
	}
	st.Who = f.did(c, st)
	if st.TID != 0 {
		st.Thread = f.threads.name(st.TID, st.T)
	}
	if st.Stack != 0 && f.Calls {
		whole, ok := f.stacks[st.Stack]
		if !ok {
			whole.frames, whole.end = f.names.Frames(st.Stack)
			f.stacks[st.Stack] = whole
		}
		st.Frames, st.StackEnd = whole.frames, whole.end
	}
}

func (f *finisher) did(c *watched, st *Step) callers.Chain {
	switch {
	case st.What == "forked" && c.parent != nil:
		return callers.Words(fmt.Sprintf("as pid %d had it", c.parent.space.PID))
	case st.What == "forked":
		return callers.Words("the fork")
	case st.What == "found":
		return f.made(ledger.BeforeAttach, "", 0, "")
	case st.Event != 0, st.What == "advised":
		return f.made(ledger.FromEvent, st.call, st.Stack, c.space.Exe)
	case st.What == "mapped" && st.call == "":
		return f.made(ledger.Kernel, "", 0, "")
	case st.call == "stack growth":
		return f.made(ledger.StackGrowth, "", 0, "")
	}
	return f.made(ledger.Drift, "", 0, "")
}
