package analysis

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// totals are numbers of bytes, objects and mappings.
type totals struct {
	reserved, committed int64
	usage
	objects, mappings int
	free              *int64 // nil where no allocator's books say
}

func (s *totals) add(o *totals) {
	s.reserved += o.reserved
	s.committed += o.committed
	s.usage.add(o.usage)
	s.objects += o.objects
	s.mappings += o.mappings
	if o.free != nil {
		n := *o.free
		if s.free != nil {
			n += *s.free
		}
		s.free = &n
	}
}

// A thing identifies what a person counts as one: a Group of package classify, or all that one owner has mapped of a
// file, in however many pieces.
type thing struct {
	group int
	kind  classify.Kind
	file  vm.File
	who   string
}

func (s *State) thingOf(p *process, x *mapping) thing {
	if x.Kind.OfFile() && x.File.Inode != 0 {
		return thing{kind: x.Kind, file: x.File, who: s.who(p, x).Whole()}
	}
	return thing{group: x.Group}
}

// An object is one thing: an arena, a stack with its guard, a loaded file.
type object struct {
	kind     classify.Kind
	row      *classify.Row
	words    classify.Words // the name of its most telling part
	detail   string
	tid      int
	first    *mapping // made before all others of it
	mappings []*mapping
	totals
}

// objects groups the mappings of p, in the order of their addresses. The list is made once, until the mappings change.
func (s *State) objects(p *process) []*object {
	if p.objects != nil {
		return p.objects
	}
	by, files := map[int]*object{}, map[thing]*object{}
	for i := range p.mappings {
		x := &p.mappings[i]
		k := s.thingOf(p, x)
		var t *object
		if k.group != 0 {
			t = by[k.group]
		} else {
			t = files[k]
		}
		if t == nil {
			t = &object{kind: x.Kind, row: x.row, words: x.Words(), detail: x.Detail, tid: x.TID, first: x, totals: totals{objects: 1}}
			if x.Books != nil {
				t.free = ptr(int64(x.Books.Free))
			}
			if k.group != 0 {
				by[k.group] = t
			} else {
				files[k] = t
			}
			p.objects = append(p.objects, t)
		}
		if t.row.Minor && !x.row.Minor {
			t.kind, t.row, t.words, t.detail, t.tid = x.Kind, x.row, x.Words(), x.Detail, x.TID
		}
		if before(x, t.first) {
			t.first = x
		}
		t.mappings = append(t.mappings, x)
		n := x.totals()
		t.totals.add(&n)
	}
	return p.objects
}

func ptr[T any](v T) *T { return &v }

// before reports whether a was made before b. What the kernel made at exec comes first, what has no
// origin last.
func before(a, b *mapping) bool {
	rank := func(x *mapping) int {
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

func (x *mapping) totals() totals {
	s := totals{reserved: int64(x.Len()), usage: x.usage, mappings: 1}
	// Pages that were touched stay resident after mprotect(PROT_NONE), so they count as committed.
	if s.committed = s.rss; x.Perms&(vm.Read|vm.Write|vm.Exec) != 0 {
		s.committed = max(s.reserved-x.guarded, s.rss)
	}
	return s
}
