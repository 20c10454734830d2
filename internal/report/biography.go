package report

import (
	"cmp"
	"path"
	"slices"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// A Biography is what happened at one address, in every address space that had something there.
type Biography struct {
	*Scene
	addr     uint64
	chapters []*chapter
}

// A chapter is an address space's part of a biography.
type chapter struct {
	space  *eventlog.SpaceState
	parent *chapter // of a fork: whose steps came before
	upto   int      // so many of the parent's
	steps  []happening
	told   int // so many steps are a fork's too: they stay as they are
	now    ledger.Entry
	mapped bool
}

// A happening is one step of a biography.
type happening struct {
	t        int64
	seq      uint64 // 0 where no event did it
	pid, tid int
	call     string // the kernel's name; of a drift its guess
	text     string // the call with its arguments, where they were asked for
	stack    int
	verb     string
	vm.Range
	what   string // perms and file, or what changed
	reused bool   // there was something before
	times  int    // how often in a row, the first not counted; of repeated: how often those before it once more
	last   int64  // t of the last of them
	steps  int    // of repeated: how many steps before it it is about
}

// HistoryOptions say how much a biography tells.
type HistoryOptions struct {
	Calls bool // the calls with their arguments
	Each  bool // every step for itself, however often the same ones come again
}

// History reads the biography of an address up to a moment. Of several processes only those with one of
// pids are told, and what a fork took over from its parent.
func History(open Open, at Moment, pids []int, addr uint64, o HistoryOptions) (*Biography, error) {
	w := &watcher{addr: addr, HistoryOptions: o, of: map[int]*chapter{}}
	s, err := load(open, at, pids, w)
	if err != nil {
		return nil, err
	}
	b := &Biography{Scene: s, addr: addr}
	for _, c := range w.of {
		if len(c.steps) > 0 && wanted(pids, c.space.PID) {
			b.chapters = append(b.chapters, c)
		}
	}
	slices.SortFunc(b.chapters, func(a, b *chapter) int { return cmp.Compare(a.space.ID, b.space.ID) })
	return b, nil
}

// watcher writes a biography while a scene is loaded.
type watcher struct {
	HistoryOptions
	addr uint64
	of   map[int]*chapter // by space
}

// begin takes a space that has just begun.
func (w *watcher) begin(r *eventlog.Space, p *eventlog.Replay) {
	sp := p.Space(r.Space)
	c := &chapter{space: sp}
	w.of[r.Space] = c
	e, ok := sp.Ledger.At(w.addr)
	c.now, c.mapped = e, ok
	if !ok {
		return
	}
	h := happening{t: r.T, pid: r.PID, verb: "there", Range: e.Range, what: entryText(&e)}
	switch r.Cause {
	case "fork":
		h.verb = "forked"
		if q := w.of[sp.Parent]; q != nil {
			c.parent, c.upto = q, len(q.steps)
			q.told = c.upto
		}
	case "attach":
		h.verb = "found"
	default:
		h.verb = "mapped"
	}
	c.steps = append(c.steps, h)
}

// touches tells whether changes may concern the mapping at the address.
func (c *chapter) touches(addr uint64, changes []eventlog.Change) bool {
	for i := range changes {
		from, to := uint64(changes[i].Start), uint64(changes[i].End)
		if from <= addr && addr < to || c.mapped && from <= c.now.End && c.now.Start <= to {
			return true
		}
	}
	return false
}

// event takes an event or a drift (seq 0) of a space, after it has been replayed.
func (w *watcher) event(sp *eventlog.SpaceState, changes []eventlog.Change, h happening, describe func() string) {
	c := w.of[sp.ID]
	if c == nil || !c.touches(w.addr, changes) {
		return
	}
	was, had := c.now, c.mapped
	c.now, c.mapped = sp.Ledger.At(w.addr)
	now := c.now
	h.Range = now.Range
	h.what = entryText(&now)
	switch {
	case !had && !c.mapped:
		return
	case !had:
		h.verb = "mapped"
		if now.Moved != nil {
			h.verb = "moved in"
		} else if len(c.steps) > 0 {
			h.reused = true
		}
	case !c.mapped:
		h.verb, h.what = "freed", ""
		h.Range = removed(changes, w.addr)
		if h.call == "mremap" {
			h.verb = "moved away"
		}
	case was.Origin != now.Origin:
		h.verb = "overlaid"
		if now.Moved != nil {
			h.verb = "moved in"
		}
	case was.Perms != now.Perms:
		h.verb = "protected"
		h.what = was.Perms.String() + " -> " + now.Perms.String()
	case was.File.Path != now.File.Path:
		h.verb = "named"
		h.what = now.File.Path
	case was.Range == now.Range:
		return
	case now.Range.Covers(was.Range):
		h.verb = "grew"
	default:
		h.verb = "split"
	}
	if h.seq == 0 {
		h.what += " (drift: " + h.call + ")"
		h.call = ""
	}
	if w.Calls && describe != nil {
		h.text = describe()
	}
	c.add(h, w.Each)
}

// removed is the range around addr that changes unmap.
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
