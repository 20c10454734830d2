package report

import (
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// sums are bytes, and the number of things and of pieces that hold them.
type sums struct {
	reserved, committed int64
	figures
	things, pieces int
}

func (s *sums) add(o *sums) {
	s.reserved += o.reserved
	s.committed += o.committed
	s.figures.add(o.figures)
	s.things += o.things
	s.pieces += o.pieces
}

// A share is a line of a report: what it is, how much, who holds it, and the parts it is made of.
type share struct {
	label  string
	kind   classify.Kind
	thread int
	who    callers.Chain // empty where the parts differ
	sums
	parts  []*share
	pieces []*piece // of a part without parts
	calls  []string // of a line of the tree of calls, the outermost first
	kinds  []string // what they made, none for nothing of their own
}

// A thing is what one Group of classify is: an arena, a stack with its guard, a loaded file.
type thing struct {
	kind   classify.Kind
	row    *classify.Row
	words  classify.Words // as its best part is called
	detail string
	tid    int
	first  *piece // made before all others of it
	pieces []*piece
	sums
}

// things groups the pieces of p, in the order of their addresses.
func (p *process) things() []*thing {
	by := map[int]*thing{}
	var list []*thing
	for i := range p.pieces {
		x := &p.pieces[i]
		t := by[x.Group]
		if t == nil {
			t = &thing{kind: x.Kind, row: x.row, words: x.Words(), detail: x.Detail, tid: x.TID, first: x, sums: sums{things: 1}}
			by[x.Group] = t
			list = append(list, t)
		}
		if t.row.Minor && !x.row.Minor {
			t.kind, t.row, t.words, t.detail, t.tid = x.Kind, x.row, x.Words(), x.Detail, x.TID
		}
		if before(x, t.first) {
			t.first = x
		}
		t.pieces = append(t.pieces, x)
		t.sums.add(ptr(x.sums()))
	}
	return list
}

func ptr[T any](v T) *T { return &v }

// before tells whether a was made before b. What the kernel made at exec was there first; what has no
// origin comes last.
func before(a, b *piece) bool {
	rank := func(x *piece) int {
		switch x.Origin.Cause {
		case ledger.Kernel, ledger.BeforeAttach:
			return 0
		case ledger.FromEvent:
			return 1
		}
		return 2
	}
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra < rb
	}
	return a.Origin.Event < b.Origin.Event
}

func (x *piece) sums() sums {
	s := sums{reserved: int64(x.Len()), figures: x.figures, pieces: 1}
	if x.Perms&(vm.Read|vm.Write|vm.Exec) != 0 {
		s.committed = s.reserved
	}
	return s
}

// shares lists who holds p, in no order.
func (s *Scene) shares(p *process, by By) []*share {
	switch by {
	case ByStack:
		return s.byStack(p)
	case ByFile:
		return s.grouped(p, func(x *piece) string { return fileOf(x) }, kindDetail)
	case ByThread:
		return s.grouped(p, func(x *piece) string { return s.threadOf(x) }, kindDetail)
	case ByFunction:
		return s.grouped(p, func(x *piece) string { return s.functionOf(p, x) }, kindDetail)
	}
	return s.byKind(p)
}

// byKind lists families of kinds, each with those who hold it.
func (s *Scene) byKind(p *process) []*share {
	byFamily := map[string]*share{}
	type owner struct{ family, who, name string }
	byOwner := map[owner]*share{}
	members := map[*share][]*thing{}
	var list []*share
	for _, t := range p.things() {
		word := t.row.Heading.Word
		f := byFamily[word]
		if f == nil {
			f = &share{kind: t.kind}
			byFamily[word] = f
			list = append(list, f)
		}
		who := s.who(p, t.first)
		o := owner{word, who.Text(0), ""}
		if t.kind != classify.ThreadStack {
			o.name = t.words.One
		}
		h := byOwner[o]
		if h == nil {
			h = &share{kind: t.kind, who: who, thread: t.tid}
			byOwner[o] = h
			f.parts = append(f.parts, h)
		}
		h.sums.add(&t.sums)
		h.pieces = append(h.pieces, t.pieces...)
		f.sums.add(&t.sums)
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
			f.label = "code and data of " + heading.Words.Count(f.things)
		}
		for _, h := range f.parts {
			h.label = partLabel(heading, members[h])
		}
	}
	return list
}

// grouped lists pieces by one word of theirs, and below it by another.
func (s *Scene) grouped(p *process, key, sub func(*piece) string) []*share {
	var list []*share
	first, second := map[string]*share{}, map[[2]string]*share{}
	counted := map[*share]map[int]bool{}
	for i := range p.pieces {
		x := &p.pieces[i]
		k := key(x)
		f := first[k]
		if f == nil {
			f = &share{label: k, kind: x.Kind}
			first[k] = f
			list = append(list, f)
		}
		k2 := [2]string{k, sub(x)}
		h := second[k2]
		if h == nil {
			h = &share{label: k2[1], kind: x.Kind, thread: x.TID}
			second[k2] = h
			f.parts = append(f.parts, h)
		}
		h.pieces = append(h.pieces, x)
		for _, o := range [...]*share{f, h} {
			n := x.sums()
			if counted[o] == nil {
				counted[o] = map[int]bool{}
			}
			if !counted[o][x.Group] {
				counted[o][x.Group] = true
				n.things = 1
			}
			o.sums.add(&n)
		}
	}
	return list
}

func fileOf(x *piece) string {
	switch {
	case x.File.Inode != 0 || strings.HasPrefix(x.File.Path, "/"):
		return x.File.Path
	case strings.HasPrefix(x.File.Path, "["):
		return x.File.Path
	}
	return "no file"
}

// threadOf is the thread that a piece belongs to, or that mapped it.
func (s *Scene) threadOf(x *piece) string {
	switch {
	case x.maker == nil:
		return "no thread: " + s.who(nil, x).Calls[0]
	case x.TID != 0:
		return s.thread(x.TID, s.T)
	}
	return s.thread(x.maker.TID, x.maker.T)
}

// functionOf is the first function of the program's own in the calls that made a piece.
func (s *Scene) functionOf(p *process, x *piece) string {
	c := s.who(p, x)
	return c.Calls[c.Keep-1]
}
