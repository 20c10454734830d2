package analysis

import (
	"sort"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// A Question is what blame answers: who mapped an address, a range, or the rows of a text.
type Question struct {
	Range  vm.Range // where Rows is nil; one byte long: an address
	Rows   []vm.MapRow
	PID    int  // that the text names, 0 for none
	Stacks bool // every mapping is shown with its whole stack
	Frames bool // whole stacks are in the answer, shown or not
}

// A Blame says who mapped what was asked about.
type Blame struct {
	Type Type `json:"type"` // "blame"
	At
	Start     *eventlog.Hex   `json:"start"`     // what was asked about, one byte of an address; null where that were the rows of a text
	End       *eventlog.Hex   `json:"end"`       // the first address behind that
	Stacks    bool            `json:"stacks"`    // text shows whole stacks
	Spaces    int             `json:"spaces"`    // how many address spaces, of the chosen processes, were in use at the moment
	Processes []BlamedProcess `json:"processes"` // those that have something there; of a text the one that it fits best
	Nameless  []Unnamed       `json:"nameless"`  // files of whose code it shows addresses
}

// A BlamedProcess is a process that has part of what was asked about.
type BlamedProcess struct {
	PID     int          `json:"pid"`                  // the process that began the address space
	Name    string       `json:"name"`                 // what a person calls it, as in a report
	Exe     string       `json:"exe"`                  // path of its executable
	Rows    []BlamedRow  `json:"rows"`                 // of the text, or those that the kernel shows there
	Mapping *BlamedRange `json:"mapping,omitempty"`    // of an address: the whole mapping that it lies in
	Kernel  *KernelRow   `json:"kernel_row,omitempty"` // of an address: the kernel's row, where that is several mappings
}

// A BlamedRow is a row of the text, or one that the kernel shows, with the mappings of the ledger in it.
type BlamedRow struct {
	Start    eventlog.Hex  `json:"start"`           // its first address
	End      eventlog.Hex  `json:"end"`             // the first address behind it
	Perms    string        `json:"perms,omitempty"` // the second column of /proc/PID/maps
	Path     string        `json:"path,omitempty"`  // of the file, or the kernel's name
	Resident *int64        `json:"resident"`        // bytes in memory, as the text has it, else of the mappings; null where that was not counted
	Mapped   int64         `json:"mapped"`          // bytes of it
	Mappings []BlamedRange `json:"mappings"`        // those in it
}

// A BlamedRange is a mapping with all that is known of the call that made it.
type BlamedRange struct {
	Range
	MadeBy   string  `json:"made_by,omitempty"`    // the call, as strace writes it
	Moved    *Moved  `json:"moved_from,omitempty"` // where it was before mremap moved it
	Frames   []Frame `json:"frames"`               // the whole stack; null where it was not asked for
	StackEnd string  `json:"stack_end,omitempty"`  // why the walk ended early
}

// Moved is where a mapping was before mremap moved it.
type Moved struct {
	Start  eventlog.Hex `json:"start"`  // its address there
	Origin uint64       `json:"origin"` // seq of the event that had mapped it there
}

// A KernelRow is one row of the kernel's that comprises several mappings of the ledger.
type KernelRow struct {
	Start    eventlog.Hex `json:"start"`    // its first address
	End      eventlog.Hex `json:"end"`      // the first address behind it
	Perms    string       `json:"perms"`    // the second column of /proc/PID/maps
	Mappings int          `json:"mappings"` // how many
}

// Blame answers q.
func (s *State) Blame(q Question) *Blame {
	b := &Blame{Type: "blame", At: s.at(), Stacks: q.Stacks, Spaces: len(s.processes), Processes: []BlamedProcess{}}
	if q.Rows == nil {
		b.Start, b.End = ptr(eventlog.Hex(q.Range.Start)), ptr(eventlog.Hex(q.Range.End))
	}
	unnamed := nameless{}
	for _, p := range s.asked(&q) {
		o := BlamedProcess{PID: p.PID, Name: s.nameOf(p.SpaceState, s.T), Exe: p.Exe, Rows: []BlamedRow{}}
		for _, r := range s.rows(p, &q) {
			o.Rows = append(o.Rows, s.blamedRow(p, r, &q, unnamed))
		}
		if q.Rows == nil && q.Range.Len() == 1 {
			i, _ := p.overlapping(q.Range)
			o.Mapping = ptr(s.blamedRange(p, &p.mappings[i], p.mappings[i].Range, true))
			unnamed.stack(s, o.Mapping.Stack)
			for _, r := range kernelRows(p.mappings) {
				if n := r.last - r.first + 1; r.Contains(q.Range.Start) && n > 1 {
					o.Kernel = &KernelRow{eventlog.Hex(r.Start), eventlog.Hex(r.End), r.Perms.String(), n}
				}
			}
		}
		b.Processes = append(b.Processes, o)
	}
	b.Nameless = unnamed.list()
	return b
}

func (s *State) blamedRow(p *process, r vm.MapRow, q *Question, unnamed nameless) BlamedRow {
	o := BlamedRow{Start: eventlog.Hex(r.Start), End: eventlog.Hex(r.End), Perms: r.Perms, Path: r.Path, Mappings: []BlamedRange{}}
	var resident int64
	from, to := p.overlapping(r.Range)
	for i := from; i < to; i++ {
		x := &p.mappings[i]
		m := s.blamedRange(p, x, r.Range, q.Frames || q.Stacks)
		unnamed.count(s, m.Calls)
		if q.Stacks {
			unnamed.stack(s, m.Stack)
		}
		o.Mapped += m.Bytes
		if m.Resident != nil {
			resident += *m.Resident
			o.Resident = &resident
		}
		o.Mappings = append(o.Mappings, m)
	}
	if r.Resident >= 0 {
		o.Resident = &r.Resident
		if m := o.Mappings; len(m) == 1 && m[0].Resident == nil && o.Mapped == int64(r.Len()) {
			m[0].Resident = &r.Resident
		}
	}
	return o
}

func (s *State) blamedRange(p *process, x *mapping, r vm.Range, frames bool) BlamedRange {
	m := BlamedRange{Range: s.rangeOf(p, x, r)}
	if x.event != nil {
		m.MadeBy = madeBy(x.event)
	}
	if x.Moved != nil {
		m.Moved = &Moved{eventlog.Hex(x.Moved.Start), x.Moved.Origin.Event}
	}
	if frames && m.Stack != 0 {
		m.Frames, m.StackEnd = s.names.Frames(m.Stack)
	}
	return m
}

// asked returns the processes that q is about: for a text the one that fits best, else all that have something
// mapped there.
func (s *State) asked(q *Question) []*process {
	var list []*process
	best, most := (*process)(nil), -1
	for _, p := range s.processes {
		if q.Rows == nil {
			if from, to := p.overlapping(q.Range); from < to {
				list = append(list, p)
			}
			continue
		}
		n := 0
		for i := range q.Rows {
			if e, ok := p.Ledger.At(q.Rows[i].Start); ok && (q.Rows[i].Perms == "" || e.Perms.String() == q.Rows[i].Perms) {
				n += 2
			}
		}
		if p.PID == q.PID {
			n += 1 + len(q.Rows)
		}
		if n > most {
			best, most = p, n
		}
	}
	if best != nil {
		list = append(list, best)
	}
	return list
}

// overlapping returns the mappings [from, to) that share bytes with r.
func (p *process) overlapping(r vm.Range) (from, to int) {
	from = sort.Search(len(p.mappings), func(i int) bool { return p.mappings[i].End > r.Start })
	to = from + sort.Search(len(p.mappings)-from, func(i int) bool { return p.mappings[from+i].Start >= r.End })
	return from, to
}

// rows are the rows that q asks about; for a range those that the kernel shows there.
func (s *State) rows(p *process, q *Question) []vm.MapRow {
	if q.Rows != nil {
		return q.Rows
	}
	var rows []vm.MapRow
	for _, r := range kernelRows(p.mappings) {
		if r.Overlaps(q.Range) {
			rows = append(rows, vm.MapRow{Range: r.Intersect(q.Range), Perms: r.Perms.String(), Resident: -1, Path: r.File.Path})
		}
	}
	return rows
}
