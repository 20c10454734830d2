package analysis

import (
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
)

// A holder is a row of a report under construction: what it is, how much, who holds it, and its parts.
type holder struct {
	label  string
	part   string // of a part: what it is, without its owner
	kind   classify.Kind
	thread int
	who    callers.Chain // empty where the parts differ
	totals
	parts    []*holder
	mappings []*mapping // of a part without parts
	calls    []string   // of a line of the tree of calls, the outermost first
	kinds    []string   // the kinds of what they made themselves; empty for none
}

// holders lists who holds p, in no order.
func (s *State) holders(p *process, by By) []*holder {
	switch by {
	case ByStack:
		return s.byStack(p)
	case ByFile:
		return s.grouped(p, func(x *mapping) string { return fileOf(x) }, kindDetail)
	case ByThread:
		return s.grouped(p, func(x *mapping) string { return s.threadOf(p, x) }, kindDetail)
	case ByFunction:
		return s.grouped(p, func(x *mapping) string { return s.functionOf(p, x) }, kindDetail)
	}
	return s.byKind(p)
}

// byKind lists families of kinds, each with those who hold it.
func (s *State) byKind(p *process) []*holder {
	byFamily := map[string]*holder{}
	type owner struct{ family, who, name string }
	byOwner := map[owner]*holder{}
	members := map[*holder][]*object{}
	var list []*holder
	for _, t := range s.objects(p) {
		word := t.row.Heading.Word
		f := byFamily[word]
		if f == nil {
			f = &holder{kind: t.kind}
			byFamily[word] = f
			list = append(list, f)
		}
		who := s.who(p, t.first)
		o := owner{word, who.Whole(), ""}
		if t.kind != classify.ThreadStack {
			o.name = t.words.One
		}
		h := byOwner[o]
		if h == nil {
			h = &holder{kind: t.kind, who: who, thread: t.tid}
			byOwner[o] = h
			f.parts = append(f.parts, h)
		}
		h.totals.add(&t.totals)
		h.mappings = append(h.mappings, t.mappings...)
		f.totals.add(&t.totals)
		members[h] = append(members[h], t)
		members[f] = append(members[f], t)
	}
	for h, ts := range members {
		h.label = labelOf(ts[0].row.Heading, ts)
	}
	for i, f := range list {
		if len(f.parts) == 1 {
			list[i] = f.parts[0]
			continue
		}
		heading := members[f][0].row.Heading
		if heading.Told == classify.AsFiles {
			f.label = "code and data of " + heading.Words.Count(f.objects)
		}
		for _, h := range f.parts {
			h.label, h.part = partLabel(heading, members[h]), partName(heading, members[h])
		}
	}
	return list
}

// grouped groups mappings by one key, and within each group by another.
func (s *State) grouped(p *process, key, sub func(*mapping) string) []*holder {
	var list []*holder
	first, second := map[string]*holder{}, map[[2]string]*holder{}
	counted := map[*holder]map[thing]bool{}
	for i := range p.mappings {
		x := &p.mappings[i]
		k := key(x)
		f := first[k]
		if f == nil {
			f = &holder{label: k, kind: x.Kind}
			first[k] = f
			list = append(list, f)
		}
		k2 := [2]string{k, sub(x)}
		h := second[k2]
		if h == nil {
			h = &holder{label: k2[1], kind: x.Kind, thread: x.TID}
			second[k2] = h
			f.parts = append(f.parts, h)
		}
		h.mappings = append(h.mappings, x)
		t := s.thingOf(p, x)
		for _, o := range [...]*holder{f, h} {
			n := x.totals()
			if counted[o] == nil {
				counted[o] = map[thing]bool{}
			}
			if !counted[o][t] {
				counted[o][t] = true
				n.objects = 1
			}
			o.totals.add(&n)
		}
	}
	return list
}

func fileOf(x *mapping) string {
	switch {
	case x.File.Inode != 0 || strings.HasPrefix(x.File.Path, "/"):
		return x.File.Path
	case strings.HasPrefix(x.File.Path, "["):
		return x.File.Path
	}
	return "no file"
}

// threadOf is the thread that a mapping belongs to, or that mapped it.
func (s *State) threadOf(p *process, x *mapping) string {
	switch {
	case x.TID != 0:
		return s.thread(x.TID, s.T)
	case x.Kind == classify.MainStack:
		return s.thread(p.PID, s.T)
	case x.event == nil:
		return "no thread: " + s.who(p, x).Calls[0]
	}
	return s.thread(x.event.TID, x.event.T)
}

// functionOf returns the innermost function of the program itself among the calls that made a mapping.
func (s *State) functionOf(p *process, x *mapping) string {
	c := s.who(p, x)
	return c.Calls[c.Keep-1]
}
