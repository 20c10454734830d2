package report

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
)

// A Diff is what differs between two scenes: of two logs, or of two moments of one. Things are matched by
// their kind and by the calls that made them, never by address.
type Diff struct {
	before, after *Scene
	Settings      []setting
	pairs         []*pair
}

// A pair is a process of each scene, or one that the other does not have.
type pair struct {
	before, after *process
	was, is       sums
	families      []*changed
}

// changed is a kind, or what one chain of calls made of it, on both sides.
type changed struct {
	key     string
	label   string
	kind    classify.Kind
	was, is sums
	who     callers.Chain
	note    string // what is to be said of the side that has more
	parts   []*changed
}

func (c *changed) bytes() int64 { return c.is.reserved - c.was.reserved }

// Compare compares two scenes. Processes are matched by their executable and their place among those.
func Compare(before, after *Scene) *Diff {
	d := &Diff{before: before, after: after, Settings: settings(before.header, after.header)}
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
		d.pairs = append(d.pairs, d.pair(p, q))
	}
	for _, q := range after.processes {
		if !taken[q] {
			d.pairs = append(d.pairs, d.pair(nil, q))
		}
	}
	return d
}

func (d *Diff) pair(p, q *process) *pair {
	x := &pair{before: p, after: q}
	by := map[string]*changed{}
	collect := func(s *Scene, p *process, side func(*changed) *sums) {
		if p == nil {
			return
		}
		for _, t := range p.things() {
			word, label := family(t.kind)
			f := by[word]
			if f == nil {
				f = &changed{key: word, label: label, kind: t.kind}
				by[word] = f
				x.families = append(x.families, f)
			}
			side(f).add(&t.sums)
			who := s.who(p, t.first)
			key := who.Source()
			if word == "elf" {
				// A file is the same whoever loaded it.
				key = elfFile(t)
			}
			o := by[word+"\x00"+key]
			if o == nil {
				o = &changed{key: key, label: label, kind: t.kind, who: who}
				if word == "elf" {
					o.who = callers.Words(key)
				}
				by[word+"\x00"+key] = o
				f.parts = append(f.parts, o)
			}
			side(o).add(&t.sums)
			if note := s.noteOf(t); note != "" && !strings.Contains(o.note, note) {
				o.note = strings.TrimPrefix(o.note+", "+note, ", ")
			}
		}
	}
	if p != nil {
		x.was = p.total()
	}
	if q != nil {
		x.is = q.total()
	}
	collect(d.before, p, func(c *changed) *sums { return &c.was })
	collect(d.after, q, func(c *changed) *sums { return &c.is })
	order := func(a, b *changed) int {
		return cmp.Or(cmp.Compare(abs(b.bytes()), abs(a.bytes())), cmp.Compare(b.is.reserved+b.was.reserved, a.is.reserved+a.was.reserved), cmp.Compare(a.key, b.key))
	}
	slices.SortFunc(x.families, order)
	for _, f := range x.families {
		slices.SortFunc(f.parts, order)
	}
	return x
}

func abs(n int64) int64 { return max(n, -n) }

// noteOf says whose a thing is, without its tid, which differs from run to run.
func (s *Scene) noteOf(t *thing) string {
	if t.tid == 0 || t.kind == classify.ThreadStack {
		return ""
	}
	if n := s.lives.name(t.tid, s.T); n != "" {
		return "thread " + n
	}
	return ""
}

// elfFile is the base name of a loaded file.
func elfFile(t *thing) string {
	for _, x := range t.pieces {
		if x.File.Inode != 0 {
			return path.Base(x.File.Path)
		}
	}
	return t.detail
}
