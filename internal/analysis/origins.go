package analysis

import (
	"maps"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// origins stores the events that made the present mappings. Events of which no page is left are dropped now and then.
type origins struct {
	by     map[uint64]*classify.Event
	sweep  int             // the number of events at which unused ones are dropped next
	pinned map[uint64]bool // needed by a moment already computed: never dropped
}

// firstSweep is the number of events at which unused ones are dropped for the first time.
const firstSweep = 1 << 14

func newOrigins() *origins { return &origins{by: map[uint64]*classify.Event{}, sweep: firstSweep} }

// put stores an event if it mapped pages.
func (m *origins) put(r *eventlog.Event) {
	if i := makes(r); i >= 0 {
		e := compact(r)
		e.Over = m.over(r, i)
		m.by[r.Seq] = e
	}
}

// makes returns the index of the first change of an event that maps pages, -1 if there is none.
func makes(r *eventlog.Event) int {
	return slices.IndexFunc(r.Changes, func(c eventlog.Change) bool {
		return c.Now != nil && c.Now.Origin != nil && *c.Now.Origin == r.Seq
	})
}

// over returns the event whose mapping change i replaced or moved, by its first page. It returns nil if that is
// unknown.
func (m *origins) over(r *eventlog.Event, i int) *classify.Event {
	c := &r.Changes[i]
	if from := c.Now.MovedFrom; from != nil {
		if from.Origin == nil {
			return nil
		}
		return classify.NewOver(m.by[*from.Origin])
	}
	for j := range i {
		was := &r.Changes[j]
		if was.Start <= c.Start && c.Start < was.End && was.Was != nil && was.Was.Origin != nil {
			return classify.NewOver(m.by[*was.Was.Origin])
		}
	}
	return nil
}

// full reports whether it is time to drop events.
func (m *origins) full() bool { return len(m.by) >= m.sweep }

// forget drops every event that no space of p has pages of. The map keeps its room: it will be filled again.
func (m *origins) forget(p *eventlog.Replay) {
	kept := map[uint64]bool{}
	for _, s := range p.Spaces() {
		for e := range s.Ledger.All {
			kept[e.Origin.Event] = true
			if e.Moved != nil {
				kept[e.Moved.Origin.Event] = true
			}
		}
	}
	maps.DeleteFunc(m.by, func(seq uint64, _ *classify.Event) bool { return seq == 0 || !kept[seq] && !m.pinned[seq] })
	m.sweep = max(firstSweep, 4*len(m.by))
}

// compact returns a copy of the parts of an event that are needed later.
func compact(r *eventlog.Event) *classify.Event {
	e := &classify.Event{Seq: r.Seq, T: r.T, Call: r.Call, FD: -1, PID: r.PID, TID: r.TID}
	for i := range r.Args {
		a := &r.Args[i]
		v := uint64(a.Value)
		switch a.Name {
		case "addr", "start", "shmaddr", "new_address":
			e.Addr = v
		case "length", "len", "size", "new_size":
			e.Length = v
		case "prot":
			e.Prot = v
		case "flags":
			e.Flags = v
		case "fd":
			e.FD = int64(int32(a.Value))
		}
	}
	if r.Result != nil {
		e.Result = uint64(r.Result.Value)
	}
	if r.Stack != nil {
		e.Stack = *r.Stack
	}
	return e
}
