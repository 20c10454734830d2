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
	Type        Type      `json:"type"`        // "diff"
	Before      Side      `json:"before"`      // one moment
	After       Side      `json:"after"`       // the other
	Processes   []Pair    `json:"processes"`   // the first one first
	Environment []Setting `json:"environment"` // what differs of the surroundings of the first pair: of their programs and machines
	Unrecorded  []Setting `json:"unrecorded"`  // what one side alone recorded: not known to differ, nor to be the same
	Nameless    []Unnamed `json:"nameless"`    // files of whose code it shows addresses
}

// A Side is one of the two moments.
type Side struct {
	At
	Log string `json:"log"` // what the log was called
}

// A Pair is a process before and the matching one after; either may be missing.
type Pair struct {
	PIDBefore   *int     `json:"pid_before"`                  // null where there is none
	PIDAfter    *int     `json:"pid_after"`                   // null where there is none
	NameBefore  string   `json:"name_before,omitempty"`       // what a person calls it, as in a report
	NameAfter   string   `json:"name_after,omitempty"`        // the same
	ExeBefore   string   `json:"exe_before,omitempty"`        // path of the executable
	ExeAfter    string   `json:"exe_after,omitempty"`         // path of the executable
	ArgvBefore  []string `json:"argv_before,omitempty"`       // the command line, where it differs
	ArgvAfter   []string `json:"argv_after,omitempty"`        // the same
	Same        bool     `json:"same"`                        // nothing differs but addresses; the command lines are equal too
	Before      Totals   `json:"before"`                      // all of it
	After       Totals   `json:"after"`                       // all of it
	Difference  int64    `json:"difference"`                  // bytes reserved
	GivenBefore *int64   `json:"given_back_before,omitempty"` // bytes that calls of madvise had given back up to then; absent where that was not counted (--advice)
	GivenAfter  *int64   `json:"given_back_after,omitempty"`  // the same
	Kinds       []Change `json:"kinds"`                       // the largest difference first
	Because     *Because `json:"because"`                     // null where no setting that differs governs a kind that does
	// Environment lists how the environments of these two processes differ, if not in the same way as those of the
	// first pair.
	Environment []Setting `json:"environment,omitempty"`
	OnlyBefore  []string  `json:"only_before,omitempty"` // names of variables, of which no value is recorded, that the other did not begin with
	OnlyAfter   []string  `json:"only_after,omitempty"`  // the same
}

// A Change compares one kind of memory, or what one chain of calls made of that kind, on both sides. Only the latter
// has a Who: the calls in the form in which they are compared, which is the same on both sides. Suffixes that compilers
// append are removed, code made at run time is "(JIT code)", and a loaded file is its name.
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

// Because explains the largest difference by a setting that differs and governs that kind of memory.
type Because struct {
	Change         // what one chain of calls made
	More    string `json:"more"`    // which side has more: "before" or "after"
	Setting string `json:"setting"` // its name
	SetBy   string `json:"set_by"`  // the side that has it set so
	Value   string `json:"value"`   // its value there
}

// Compare compares two moments; logs are the names of the sides. If before and after are exchanged, only the signs of
// the result change.
func Compare(before, after *State, logs [2]string) *Diff {
	c := comparer{before: before, after: after, nameless: nameless{}}
	d := &Diff{Type: "diff", Before: Side{before.at(), logs[0]}, After: Side{after.at(), logs[1]}, Processes: []Pair{}}
	pairs := match(before.processes, after.processes)
	var first [2]*process
	if len(pairs) > 0 && pairs[0][0] != nil && pairs[0][1] != nil {
		first = pairs[0]
	}
	d.Environment, d.Unrecorded = c.differing(first[0], first[1])
	for _, m := range pairs {
		x := c.pair(m[0], m[1])
		x.Environment = slices.DeleteFunc(x.Environment, func(s Setting) bool { return slices.ContainsFunc(d.Environment, s.equal) })
		d.Processes = append(d.Processes, x)
	}
	d.Nameless = c.nameless.list()
	return d
}

// comparer makes a Diff.
type comparer struct {
	before, after *State
	nameless      nameless
}

// changed is a Change under construction.
type changed struct {
	key     string
	heading *classify.Heading
	kinds   map[*classify.Row]int64 // bytes, of both sides
	was, is totals
	who     callers.Chain
	notes   []string // ascending
	parts   []*changed
}

// row returns the kind with the most bytes on both sides together.
func (c *changed) row() *classify.Row {
	var most *classify.Row
	for r, n := range c.kinds {
		if most == nil || cmp.Or(cmp.Compare(n, c.kinds[most]), cmp.Compare(most.Kind, r.Kind)) > 0 {
			most = r
		}
	}
	return most
}

func (c *changed) bytes() int64 { return c.is.reserved - c.was.reserved }

// pair compares p and q, one of which may be nil.
func (c *comparer) pair(p, q *process) Pair {
	x := Pair{Kinds: []Change{}}
	none := &process{taken: -1}
	var was, is totals
	if p == nil {
		p = none
	} else {
		x.PIDBefore, x.NameBefore, x.ExeBefore, was = &p.PID, c.before.nameOf(p.SpaceState, c.before.T), p.Exe, p.total()
		was.objects = len(c.before.objects(p))
	}
	if q == nil {
		q = none
	} else {
		x.PIDAfter, x.NameAfter, x.ExeAfter, is = &q.PID, c.after.nameOf(q.SpaceState, c.after.T), q.Exe, q.total()
		is.objects = len(c.after.objects(q))
	}
	x.Before, x.After, x.Difference, x.Same = p.totalsOf(&was), q.totalsOf(&is), is.reserved-was.reserved, was == is && p != none && q != none
	x.GivenBefore, x.GivenAfter = c.before.givenBack(p), c.after.givenBack(q)
	for _, f := range c.families(p, q) {
		x.Kinds = append(x.Kinds, c.change(p, q, f))
	}
	if p != none && q != none && !slices.Equal(p.Argv, q.Argv) {
		x.ArgvBefore, x.ArgvAfter, x.Same = p.Argv, q.Argv, false
	}
	if p != none && q != none {
		x.Environment, _ = c.differing(p, q)
		x.OnlyBefore, x.OnlyAfter = onlyNamed(p, q)
		x.Because = c.because(x.Kinds, x.Environment, x.ArgvBefore, x.ArgvAfter)
	}
	return x
}

// change returns the finished form of o and its parts.
func (c *comparer) change(p, q *process, o *changed) Change {
	row := o.row()
	x := Change{Label: o.heading.Words.One, Kind: row.Kind, Before: p.totalsOf(&o.was), After: q.totalsOf(&o.is), Difference: o.bytes(), Who: o.who, Note: strings.Join(o.notes, ", ")}
	if len(o.parts) == 0 {
		x.How = row.MadeBy
	}
	if x.Differs() {
		c.nameless.countIn(o.who.Calls, c.before, c.after)
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
		for _, t := range s.objects(p) {
			h := t.row.Heading
			f := by[h.Word]
			if f == nil {
				f = &changed{key: h.Word, heading: h, kinds: map[*classify.Row]int64{}}
				by[h.Word] = f
				list = append(list, f)
			}
			who := s.who(p, t.first).Source()
			key := who.Whole()
			if h.Told == classify.AsFiles {
				// A file is the same whoever loaded it.
				key = elfFile(t)
				who = callers.Words(key)
			}
			o := by[h.Word+"\x00"+key]
			if o == nil {
				o = &changed{key: key, heading: h, kinds: map[*classify.Row]int64{}, who: who}
				by[h.Word+"\x00"+key] = o
				f.parts = append(f.parts, o)
			}
			o.who.Keep = min(o.who.Keep, who.Keep)
			for _, x := range [...]*changed{f, o} {
				side(x).add(&t.totals)
				x.kinds[t.row] += t.reserved
			}
			if note := s.noteOf(t); note != "" {
				if i, known := slices.BinarySearch(o.notes, note); !known {
					o.notes = slices.Insert(o.notes, i, note)
				}
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

// because returns the largest difference that a differing setting can explain, nil if there is none.
func (c *comparer) because(kinds []Change, settings []Setting, before, after []string) *Because {
	for _, f := range kinds {
		for _, o := range f.Parts {
			if o.Difference == 0 {
				continue
			}
			governs := c.after.known.Row(o.Kind).Settings
			for _, s := range settings {
				if governs.Explain(s.Name) {
					return o.because(s)
				}
			}
			for _, s := range governs {
				if x, y := s.Option(before), s.Option(after); x != y {
					return o.because(Setting{Name: s.Name, Before: optionValue(x, s.Name), After: optionValue(y, s.Name)})
				}
			}
		}
	}
	return nil
}

// optionValue returns the value of an option, nil if there is no option.
func optionValue(option, name string) *string {
	if option == "" {
		return nil
	}
	return ptr(strings.TrimPrefix(option, name))
}

// because explains a difference by a setting, if the side that has less has it set.
func (c *Change) because(s Setting) *Because {
	b := &Because{Change: *c, More: "after", Setting: s.Name, SetBy: "before"}
	value, other := s.Before, s.After
	if c.Difference < 0 {
		b.More, b.SetBy, value, other = "before", "after", s.After, s.Before
	}
	if value == nil {
		b.SetBy, value = b.More, other
	}
	b.Value = *value
	return b
}

func abs(n int64) int64 { return max(n, -n) }

// noteOf says which thread an object belongs to, without the tid, which differs from run to run.
func (s *State) noteOf(t *object) string {
	if t.tid == 0 || t.kind == classify.ThreadStack {
		return ""
	}
	if n := s.threads.name(t.tid, s.T); n != "" {
		return "thread " + n
	}
	return ""
}

// elfFile returns the base name of a loaded file.
func elfFile(t *object) string {
	for _, x := range t.mappings {
		if x.File.Inode != 0 {
			return path.Base(x.File.Path)
		}
	}
	return t.detail
}
