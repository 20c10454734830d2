package segment

import (
	"maps"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// origins keeps the lines of the events that made the present mappings. It forgets events of which no page is left.
type origins struct {
	by    map[uint64]*origin // by seq
	sweep int                // the number of them at which the dead are looked for
}

// origin is one such event.
type origin struct {
	line  []byte   // of the origin record, without the thread's name
	name  string   // of its thread
	tid   int      // 0 once the thread has ended
	stack int      // 0 for none
	over  []uint64 // the events whose pages it mapped over, or moved
}

// firstSweep is how many events are kept before anything is forgotten.
const firstSweep = 1 << 12

func newOrigins() origins { return origins{by: map[uint64]*origin{}, sweep: firstSweep} }

// put keeps an event if it made pages be mapped. by is its thread, nil where it is not known.
func (m *origins) put(r *eventlog.Event, by *eventlog.Thread) {
	made := false
	var over []uint64
	for i := range r.Changes {
		was, now := r.Changes[i].Was, r.Changes[i].Now
		if now != nil && now.Origin != nil && *now.Origin == r.Seq {
			made = true
			if now.MovedFrom != nil && now.MovedFrom.Origin != nil {
				over = append(over, *now.MovedFrom.Origin)
			}
		}
		if was != nil && was.Origin != nil && *was.Origin != r.Seq {
			over = append(over, *was.Origin)
		}
	}
	if !made {
		return
	}
	o := &origin{tid: r.TID, over: over, line: eventlog.AppendRecord(nil, &eventlog.Origin{Event: *r})}
	if r.Stack != nil {
		o.stack = *r.Stack
	}
	if by != nil {
		o.name = by.Name
	}
	m.by[r.Seq] = o
}

// ended handles the end of a thread, whose record has the thread's last name.
func (m *origins) ended(r *eventlog.Thread) {
	for _, o := range m.by {
		if o.tid == r.TID {
			o.tid = 0
			if r.Name != "" {
				o.name = r.Name
			}
		}
	}
}

// full reports whether it is time to forget.
func (m *origins) full() bool { return len(m.by) >= m.sweep }

// forget drops every event that has no pages in any space and whose pages were not mapped over by one that has.
func (m *origins) forget(p *eventlog.Replay) {
	kept := make(map[uint64]*origin, len(m.by)/2)
	for _, s := range p.Spaces() {
		for e := range s.Ledger.All {
			if o := m.by[e.Origin.Event]; o != nil {
				kept[e.Origin.Event] = o
			}
			if e.Moved == nil {
				continue
			}
			if o := m.by[e.Moved.Origin.Event]; o != nil {
				kept[e.Moved.Origin.Event] = o
			}
		}
	}
	// Of those that they mapped over only one generation: who reserved what a loader then filled.
	under := map[uint64]*origin{}
	for _, o := range kept {
		for _, seq := range o.over {
			if u := m.by[seq]; u != nil {
				under[seq] = u
			}
		}
	}
	maps.Copy(kept, under)
	m.by = kept
	m.sweep = max(firstSweep, 2*len(kept))
}
