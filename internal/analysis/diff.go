package analysis

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
)

// A Diff is what differs between two logs, or between two moments of one. Things are matched by their kind and
// by the calls that made them, never by address.
type Diff struct {
	Before      Side      `json:"before"`      // one moment
	After       Side      `json:"after"`       // the other
	Processes   []Pair    `json:"processes"`   // the first one first
	Environment []Setting `json:"environment"` // what differs
	Nameless    []Unnamed `json:"nameless"`    // files of whose code it shows addresses
}

// A Side is one of the two moments.
type Side struct {
	At
	Log string `json:"log"` // what the log was called
}

// A Pair is a process of each side, or one that the other does not have.
type Pair struct {
	PIDBefore  *int     `json:"pid_before"`           // null where there is none
	PIDAfter   *int     `json:"pid_after"`            // null where there is none
	ExeBefore  string   `json:"exe_before,omitempty"` // path of the executable
	ExeAfter   string   `json:"exe_after,omitempty"`  // path of the executable
	Same       bool     `json:"same"`                 // nothing differs but addresses
	Before     Totals   `json:"before"`               // all of it
	After      Totals   `json:"after"`                // all of it
	Difference int64    `json:"difference"`           // bytes reserved
	Kinds      []Change `json:"kinds"`                // the largest difference first
	Because    *Because `json:"because"`              // null where no setting that differs governs a kind that does
}

// A Change is a kind, or what one chain of calls made of it, on both sides.
type Change struct {
	Label      string        `json:"label"`         // of the kind
	Kind       classify.Kind `json:"kind"`          // docs/kinds.md
	Before     Totals        `json:"before"`        // what there was of it
	After      Totals        `json:"after"`         // what there is of it
	Difference int64         `json:"difference"`    // bytes reserved
	How        string        `json:"how,omitempty"` // what the calls did, where that is not to make it: "first malloc in"
	Who
	Note  string   `json:"note,omitempty"`  // whose it is, by name
	Parts []Change `json:"parts,omitempty"` // of a kind: what each chain of calls made of it
}

// Differs reports whether there is another number of things, or of bytes, on the other side.
func (c *Change) Differs() bool {
	return c.Difference != 0 || c.Before.Count != c.After.Count || c.Before.Committed != c.After.Committed
}

// Because puts the largest difference beside a setting that differs and governs its kind.
type Because struct {
	Change         // what one chain of calls made
	More    string `json:"more"`    // which side has more: "before" or "after"
	Setting string `json:"setting"` // its name
	SetBy   string `json:"set_by"`  // the side that has it set so
	Value   string `json:"value"`   // its value there
}

// Compare compares two moments. Processes are matched by their executable and their place among those. logs is
// what the sides are called.
func Compare(before, after *State, logs [2]string) *Diff {
	c := comparer{before: before, after: after, settings: settings(before.header, after.header), nameless: nameless{}}
	d := &Diff{Before: Side{before.at(), logs[0]}, After: Side{after.at(), logs[1]}, Processes: []Pair{}, Environment: c.settings}
	type name struct {
		exe string
		n   int
	}
	rest := map[name]*process{}
	count := map[string]int{}
	for _, p := range after.processes {
		exe := path.Base(p.Exe)
		rest[name{exe, count[exe]}] = p
		count[exe]++
	}
	clear(count)
	taken := map[*process]bool{}
	for i, p := range before.processes {
		exe := path.Base(p.Exe)
		q := rest[name{exe, count[exe]}]
		count[exe]++
		if q == nil && i == 0 && len(after.processes) > 0 {
			// The first processes are compared whatever they are called.
			q = after.processes[0]
		}
		if taken[q] {
			q = nil
		}
		taken[q] = true
		d.Processes = append(d.Processes, c.pair(p, q))
	}
	for _, q := range after.processes {
		if !taken[q] {
			d.Processes = append(d.Processes, c.pair(nil, q))
		}
	}
	d.Nameless = c.nameless.list()
	return d
}

// comparer makes a Diff.
type comparer struct {
	before, after *State
	settings      []Setting
	nameless      nameless
}

// changed is a Change that is being added up.
type changed struct {
	key     string
	label   string
	row     *classify.Row
	was, is totals
	state   *State // where who is from
	who     callers.Chain
	note    string
	parts   []*changed
}

func (c *changed) bytes() int64 { return c.is.reserved - c.was.reserved }

// pair compares p with q, one of which may be nil.
func (c *comparer) pair(p, q *process) Pair {
	x := Pair{Kinds: []Change{}}
	none := &process{taken: -1}
	var was, is totals
	if p == nil {
		p = none
	} else {
		x.PIDBefore, x.ExeBefore, was = &p.PID, p.Exe, p.total()
		was.objects = len(p.objects())
	}
	if q == nil {
		q = none
	} else {
		x.PIDAfter, x.ExeAfter, is = &q.PID, q.Exe, q.total()
		is.objects = len(q.objects())
	}
	x.Before, x.After, x.Difference, x.Same = p.totalsOf(&was), q.totalsOf(&is), is.reserved-was.reserved, was == is && p != none && q != none
	for _, f := range c.families(p, q) {
		x.Kinds = append(x.Kinds, c.change(p, q, f))
	}
	x.Because = c.because(x.Kinds)
	return x
}

// change is the finished form of o, and of its parts.
func (c *comparer) change(p, q *process, o *changed) Change {
	x := Change{Label: o.label, Kind: o.row.Kind, Before: p.totalsOf(&o.was), After: q.totalsOf(&o.is), Difference: o.bytes(), Who: o.who, Note: o.note}
	if len(o.parts) == 0 {
		x.How = o.row.MadeBy
	}
	if x.Differs() {
		c.nameless.count(o.state, o.who.Calls)
	}
	for _, part := range o.parts {
		x.Parts = append(x.Parts, c.change(p, q, part))
	}
	return x
}

// families adds up what p and q hold, by kind and by who made it, the largest difference first.
func (c *comparer) families(p, q *process) []*changed {
	by := map[string]*changed{}
	var list []*changed
	collect := func(s *State, p *process, side func(*changed) *totals) {
		for _, t := range p.objects() {
			h := t.row.Heading
			word, label, files := h.Word, h.Words.One, h.Told == classify.AsFiles
			f := by[word]
			if f == nil {
				f = &changed{key: word, label: label, row: t.row}
				by[word] = f
				list = append(list, f)
			}
			side(f).add(&t.totals)
			who := s.who(p, t.first)
			key := who.Source()
			if files {
				// A file is the same whoever loaded it.
				key = elfFile(t)
			}
			o := by[word+"\x00"+key]
			if o == nil {
				o = &changed{key: key, label: label, row: t.row, state: s, who: who}
				if files {
					o.who = callers.Words(key)
				}
				by[word+"\x00"+key] = o
				f.parts = append(f.parts, o)
			}
			side(o).add(&t.totals)
			if note := s.noteOf(t); note != "" && !strings.Contains(o.note, note) {
				o.note = strings.TrimPrefix(o.note+", "+note, ", ")
			}
		}
	}
	collect(c.before, p, func(c *changed) *totals { return &c.was })
	collect(c.after, q, func(c *changed) *totals { return &c.is })
	order := func(a, b *changed) int {
		return cmp.Or(cmp.Compare(abs(b.bytes()), abs(a.bytes())), cmp.Compare(b.is.reserved+b.was.reserved, a.is.reserved+a.was.reserved), cmp.Compare(a.key, b.key))
	}
	slices.SortFunc(list, order)
	for _, f := range list {
		slices.SortFunc(f.parts, order)
	}
	return list
}

// because finds the largest difference that a setting explains, nil for none.
func (c *comparer) because(kinds []Change) *Because {
	for _, f := range kinds {
		for _, o := range f.Parts {
			if o.Difference == 0 {
				continue
			}
			for _, s := range c.settings {
				if !c.after.known.Row(o.Kind).Settings.Explain(s.Name) {
					continue
				}
				// The setting of the side that has less, if there is one.
				b := &Because{Change: o, More: "after", Setting: s.Name, SetBy: "before"}
				value, other := s.Before, s.After
				if o.Difference < 0 {
					b.More, b.SetBy, value, other = "before", "after", s.After, s.Before
				}
				if value == nil {
					b.SetBy, value = b.More, other
				}
				b.Value = *value
				return b
			}
		}
	}
	return nil
}

func abs(n int64) int64 { return max(n, -n) }

// noteOf says whose a thing is, without its tid, which differs from run to run.
func (s *State) noteOf(t *object) string {
	if t.tid == 0 || t.kind == classify.ThreadStack {
		return ""
	}
	if n := s.threads.name(t.tid, s.T); n != "" {
		return "thread " + n
	}
	return ""
}

// elfFile is the base name of a loaded file.
func elfFile(t *object) string {
	for _, x := range t.mappings {
		if x.File.Inode != 0 {
			return path.Base(x.File.Path)
		}
	}
	return t.detail
}
