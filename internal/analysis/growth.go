package analysis

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/ledger"
)

// A Growth is what came, what went and what stayed of the address spaces between two moments of a log.
type Growth struct {
	Type Type `json:"type"` // "growth"
	At
	Since     string         `json:"since"`     // the earlier moment, as it was asked for
	From      int64          `json:"from"`      // when that is
	Processes []GrownProcess `json:"processes"` // the first one first, then the largest
	Nameless  []Unnamed      `json:"nameless"`  // files of whose code it shows addresses
}

// A GrownProcess is one address space in a Growth: those that live at the later moment, or had ended by the end of the log.
type GrownProcess struct {
	PID    int           `json:"pid"`              // the process that began the address space
	Name   string        `json:"name"`             // what a person calls it, as in a report
	Exe    string        `json:"exe"`              // path of its executable
	Ended  bool          `json:"ended"`            // it was over before the log was
	From   int64         `json:"from"`             // the earlier moment, or the beginning of the address space where that is later
	Until  int64         `json:"until"`            // the later moment, or the end of the process
	Memory []MemoryPoint `json:"memory,omitempty"` // what was in memory at each snapshot between the moments
	Grown
	Advised []Advised  `json:"advised,omitempty"` // what calls of madvise did, between the moments, to what is in memory: recorded with --advice
	Rows    []GrownRow `json:"rows"`              // what grew most first, then what came and went
}

// A MemoryPoint is how much of an address space was in memory at a moment.
type MemoryPoint struct {
	T        int64 `json:"t"`        // when
	Resident int64 `json:"resident"` // bytes
}

// Grown is how much memory was mapped and unmapped, and how that developed.
type Grown struct {
	Came    int64   `json:"came"`             // bytes that were mapped
	Went    int64   `json:"went"`             // bytes that were unmapped, including what had been mapped before
	Net     int64   `json:"net"`              // what came less what went
	PerHour *int64  `json:"per_hour"`         // net bytes per hour, for a line from its beginning; null if no time passed, and for a step
	Course  Course  `json:"course"`           // how it went
	Points  []int64 `json:"points,omitempty"` // net bytes, at equal steps of the time between the moments
}

// A GrownRow is what one chain of calls did to the memory of one kind.
type GrownRow struct {
	Label string        `json:"label"`          // what it is, in words
	Kind  classify.Kind `json:"kind,omitempty"` // docs/kinds.md; absent where nothing of it is left, and what it was is not known
	Who
	Where string `json:"where,omitempty"` // file and line of the first of the program's own calls, where they are known
	Grown
	Times    int    `json:"times"`                  // calls that mapped
	Unmaps   int    `json:"unmaps"`                 // changes that took something of it away
	Left     int    `json:"left"`                   // mappings that came and were never taken away, not even a part
	Each     int64  `json:"each,omitempty"`         // bytes of each of those; absent if their sizes differ
	Resident *int64 `json:"resident_net,omitempty"` // bytes in memory at the last snapshot between the moments, less those at the first; absent where there are not two
	Oldest   *int64 `json:"oldest,omitempty"`       // age of the oldest of those in nanoseconds; absent if there are none
}

// points is in how many steps the time between the moments is divided.
const points = 64

// GrowthOptions say what a growth is asked for.
type GrowthOptions struct {
	Until  Moment
	PIDs   []int
	Filter Filter // its Since is the earlier moment: nil for the start
}

// ReadGrowth reads what came, went and stayed. The log is read three times or more.
func ReadGrowth(open Open, o GrowthOptions) (*Growth, error) {
	s, err := Load(open, o.Until, o.PIDs)
	if err != nil {
		return nil, err
	}
	since := Moment{Kind: AtStart}
	if o.Filter.Since != nil {
		since = *o.Filter.Since
	}
	start, err := Load(open, since, nil)
	if err != nil {
		return nil, err
	}
	if start.T > s.T || start.Seq > s.Seq {
		return nil, fmt.Errorf("--since %s is later than %s: choose an earlier moment", since, o.Until)
	}
	o.Filter.Since = nil // it limits the changes, not the mappings
	if o.Filter.any() {
		s.only = &o.Filter
	}
	return s.GrowthSince(open, since, start.T, start.Seq)
}

// GrowthSince returns what was mapped, unmapped and kept since an earlier moment: time from, right after event
// fromSeq. The log is read once.
func (s *State) GrowthSince(open Open, since Moment, from int64, fromSeq uint64) (*Growth, error) {
	g := &grower{state: s, from: from, fromSeq: fromSeq, makers: map[uint64]*growing{}, spaces: map[int]*growingSpace{}}
	if since.Kind == AtTime {
		g.from, g.fromSeq = since.T, 0
	}
	for _, p := range s.processes {
		g.spaces[p.ID] = &growingSpace{process: p, by: map[growingKey]*growing{}, from: max(g.from, p.Began)}
	}
	if _, err := each(open, g.put); err != nil {
		return nil, err
	}
	r := &Growth{Type: "growth", At: s.at(), Since: since.String(), From: g.from, Processes: []GrownProcess{}}
	n := nameless{}
	for _, p := range s.processes {
		x := g.spaces[p.ID].finish(s)
		for i := range x.Rows {
			n.count(s, x.Rows[i].Calls)
		}
		x.Advised = g.advised.of(s, p)
		n.countAdvised(s, x.Advised)
		r.Processes = append(r.Processes, x)
	}
	r.Nameless = n.list()
	return r, nil
}

// finish merges what has the same name and kind into rows.
func (sp *growingSpace) finish(s *State) GrownProcess {
	p := sp.process
	j := GrownProcess{PID: p.PID, Name: s.nameOf(p.SpaceState, s.T), Exe: p.Exe, Ended: p.ended, From: sp.from, Until: p.until, Rows: []GrownRow{}}
	kinds, left := sp.kept(s)
	type name struct{ label, who string }
	rows := map[name]*growing{}
	made := map[name]GrownRow{}
	var order []name
	total := growing{}
	for _, k := range slices.SortedFunc(func(yield func(*growing) bool) {
		for _, x := range sp.by {
			if !yield(x) {
				return
			}
		}
	}, compareGrowing) {
		if k.came == 0 && k.went == 0 && k.lastResident == k.firstResident {
			continue
		}
		row := GrownRow{Label: "anonymous memory", Who: s.made(causeOf(k.cause), k.call, k.stack, p.Exe)}
		if k.path != "" {
			row.Label = "file " + path.Base(k.path)
		}
		if kind := kinds[k.growingKey]; kind != nil {
			row.Kind, row.Label = kind.Kind, kind.Heading.Words.One
			if k.path != "" {
				row.Label += " " + path.Base(k.path)
			}
		}
		if !s.choosesGrowth(k, &row) {
			continue
		}
		total.merge(k)
		n := name{row.Label, row.Who.Text(0)}
		if x := rows[n]; x != nil {
			x.merge(k)
			row = made[n]
		} else {
			c := *k
			rows[n] = &c
			row.Where = s.where(k.stack, row.Who)
			order = append(order, n)
		}
		if len(sp.memory) > 1 {
			row.Resident = plus(row.Resident, ptr(k.lastResident-k.firstResident))
		}
		for _, x := range left[k.growingKey] {
			if age := p.until - x.event.T; row.Oldest == nil || age > *row.Oldest {
				row.Oldest = &age
			}
			switch n := int64(x.Len()); {
			case row.Left == 0:
				row.Each = n
			case row.Each != n:
				row.Each = 0
			}
			row.Left++
		}
		made[n] = row
	}
	if s.only == nil {
		total = sp.all
		total.times, total.unmaps = 0, 0
		for _, x := range sp.by {
			total.times += x.times
		}
	}
	j.Grown, j.Memory = total.grown(sp.from, p.until, 4), sp.memory
	for _, n := range order {
		row := made[n]
		x := rows[n]
		row.Grown, row.Times, row.Unmaps = x.grown(sp.from, p.until, 1), x.times, x.unmaps
		j.Rows = append(j.Rows, row)
	}
	slices.SortStableFunc(j.Rows, func(a, b GrownRow) int {
		return cmp.Or(cmp.Compare(b.Net, a.Net), cmp.Compare(b.Came, a.Came), cmp.Compare(measured(b.Resident), measured(a.Resident)), cmp.Compare(a.Label, b.Label))
	})
	return j
}

func compareGrowing(a, b *growing) int {
	return cmp.Or(cmp.Compare(b.came, a.came), cmp.Compare(a.first, b.first), cmp.Compare(a.stack, b.stack), cmp.Compare(a.call, b.call), cmp.Compare(a.cause, b.cause), cmp.Compare(a.path, b.path), cmp.Compare(a.tid, b.tid))
}

// causeOf is the cause of an origin that is no event.
func causeOf(word string) ledger.Cause {
	switch word {
	case "kernel":
		return ledger.Kernel
	case "stack growth":
		return ledger.StackGrowth
	case "drift":
		return ledger.Drift
	case "before attach":
		return ledger.BeforeAttach
	}
	return ledger.FromEvent
}

// kept returns what is left of the memory of each stack: the kind that has the most bytes, and the mappings that were
// made between the moments.
func (sp *growingSpace) kept(s *State) (kinds map[growingKey]*classify.Row, left map[growingKey][]*mapping) {
	kinds, left = map[growingKey]*classify.Row{}, map[growingKey][]*mapping{}
	bytes := map[growingKey]map[*classify.Row]int64{}
	for i := range sp.mappings {
		x := &sp.mappings[i]
		if x.event == nil {
			continue
		}
		k := growingKey{space: sp.ID, stack: x.event.Stack, call: x.event.Call, tid: x.event.TID}
		if x.File.Inode != 0 {
			k.path = x.File.Path
		}
		if bytes[k] == nil {
			bytes[k] = map[*classify.Row]int64{}
		}
		bytes[k][x.row] += int64(x.Len())
		if x.event.T > sp.from {
			left[k] = append(left[k], x)
		}
	}
	for k, of := range bytes {
		for row, n := range of {
			if most := kinds[k]; most == nil || n > of[most] || n == of[most] && row.Kind < most.Kind {
				kinds[k] = row
			}
		}
	}
	return kinds, left
}

// where is file and line of the first of the program's own calls on a stack, "" where they are not known.
func (s *State) where(stack int, who Who) string {
	if stack == 0 || who.Keep < 1 || who.Keep > len(who.Calls) {
		return ""
	}
	own := who.Calls[who.Keep-1]
	for st := range s.names.walk(stack) {
		if st.file != "" && (st.name == own || strings.HasPrefix(st.name, own)) {
			return path.Base(st.file) + ":" + strconv.Itoa(st.line)
		}
	}
	return ""
}

// choosesGrowth reports whether the filter of s chooses what a stack did.
func (s *State) choosesGrowth(x *growing, row *GrownRow) bool {
	f := s.only
	switch {
	case f == nil:
		return true
	case f.Kind != nil && !f.Kind.MatchString(string(row.Kind)) && !f.Kind.MatchString(row.Label):
		return false
	case f.File != nil && !f.File.MatchString(x.path):
		return false
	case f.Thread != nil && !f.Thread.MatchString(s.thread(x.tid, x.last)):
		return false
	}
	return f.Function == nil || s.calls(x.stack, f.Function)
}
