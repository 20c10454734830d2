package ledger

import (
	"math/rand/v2"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

var testFiles = [...]vm.File{
	{},
	{},
	{Path: "[heap]"},
	{Dev: vm.Dev{Major: 8, Minor: 1}, Inode: 7, Path: "/lib/a"},
	{Dev: vm.Dev{Major: 8, Minor: 1}, Inode: 7, Path: "/lib/a (deleted)"},
	{Dev: vm.Dev{Major: 8, Minor: 1}, Inode: 8, Path: "/lib/b"},
	{Dev: vm.Dev{Minor: 1}, Inode: 0, Path: "/SYSV00000000 (deleted)"},
}

// script hands out the decisions of a run; it gives zeros when it is used up.
type script []byte

func (s *script) upTo(n int) int {
	if n <= 0 || len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int(b) % (n + 1)
}

// span picks a range of pages, empty now and then.
func (s *script) span() (from, to int) {
	from = s.upTo(modelPages - 1)
	return from, from + s.upTo(min(12, modelPages-from))
}

func (s *script) mapping(r vm.Range) vm.Mapping {
	m := vm.Mapping{Range: r, Perms: vm.Perms(s.upTo(15)), File: testFiles[s.upTo(len(testFiles)-1)]}
	if m.File.Backed() {
		// Mostly the same projection, so that neighbours join.
		m.Offset = r.Start - modelBase + uint64(s.upTo(5)/5)*vm.PageSize
	}
	return m
}

// side is a ledger, the model of it, and a third ledger that is only told the changes.
type side struct {
	ledger, replay *Ledger
	model          model
}

func (s *side) clone() *side {
	return &side{s.ledger.Clone(), s.replay.Clone(), s.model}
}

// step does one random operation to a side and checks everything.
func (s *side) step(t *testing.T, d *script, event *uint64) {
	var dst [3]Change // what stands in dst already must stay
	before := s.model
	from, to := d.span()
	r := pagesOf(from, to)
	*event++
	o := Origin{Event: *event}
	if d.upTo(3) == 0 {
		o.Event = 1 + uint64(d.upTo(2)) // an origin seen before: neighbours that may join
	}
	changes := dst[:]
	op := d.upTo(9)
	switch op {
	case 0:
		changes = s.ledger.Remove(r, changes)
		s.model.remove(from, to)
	case 1, 2, 3:
		e := Entry{Mapping: d.mapping(r), Origin: o}
		if d.upTo(5) == 0 {
			e.Moved = &Moved{r.Start ^ 1<<40, Origin{Cause: BeforeAttach}}
		}
		changes = s.ledger.Add(e, changes)
		s.model.add(e)
	case 4:
		p := vm.Perms(d.upTo(15))
		changes = s.ledger.Protect(r, p, changes)
		s.model.protect(from, to, p)
	case 5:
		f := testFiles[d.upTo(len(testFiles)-1)]
		changes = s.ledger.SetFile(r, f, changes)
		s.model.setFile(from, to, f)
	case 6:
		// Reconcile with the kernel's view: this model after a few changes of its own.
		kernel := s.model
		for range d.upTo(4) {
			a, b := d.span()
			switch d.upTo(3) {
			case 0:
				kernel.remove(a, b)
			case 1:
				kernel.add(Entry{Mapping: d.mapping(pagesOf(a, b))})
			case 2:
				kernel.protect(a, b, vm.Perms(d.upTo(15)))
			case 3:
				kernel.setFile(a, b, testFiles[d.upTo(len(testFiles)-1)])
			}
		}
		rows := kernel.rows(1 + d.upTo(6))
		changes = s.ledger.Reconcile(r, rows, o, changes)
		s.model.reconcile(from, to, &kernel, o)
		checkReconciled(t, changes[len(dst):])
		if again := s.ledger.Reconcile(r, rows, o, nil); len(again) != 0 {
			t.Fatalf("Reconcile again gives %v", again)
		}
	case 7:
		if from > 0 && s.model[from-1].live && !(from < to && from < modelPages && s.ledger.Covered(pagesOf(from-1, from+1)) && sameEntry(s.ledger, from)) {
			changes = s.ledger.Extend(r, o, changes)
			s.model.extend(from, to, o)
		} else if from > 0 && !s.model[from-1].live {
			changes = s.ledger.Extend(r, o, changes)
		}
	default:
		// mremap: source and target do not overlap.
		length := d.upTo(8)
		target := d.upTo(modelPages - length)
		keep := d.upTo(2) == 0
		if target < to && from < target+length || length == 0 {
			break
		}
		if from == to {
			// old_size 0
			if e, ok := s.ledger.At(addrOf(from)); from < modelPages && ok {
				end := min(int((e.End-modelBase)/vm.PageSize), from+length)
				if target < end && from < target+length {
					break
				}
				s.model.move(from, end, target, length, o, true)
			}
			changes = s.ledger.Move(r, addrOf(target), uint64(length)*vm.PageSize, o, keep, changes)
			break
		}
		changes = s.ledger.Move(r, addrOf(target), uint64(length)*vm.PageSize, o, keep, changes)
		s.model.move(from, to, target, length, o, keep)
	}
	for _, c := range changes[:len(dst)] {
		if c != (Change{}) {
			t.Fatalf("op %d wrote over dst: %v", op, c)
		}
	}
	changes = changes[len(dst):]
	for i, c := range changes {
		if err := before.apply(c); err != nil {
			t.Fatalf("op %d, change %d of %d: %v", op, i, len(changes), err)
		}
	}
	if before != s.model {
		t.Fatalf("op %d: the changes do not lead to the state", op)
	}
	if err := s.replay.Apply(changes); err != nil {
		t.Fatalf("op %d: Apply: %v", op, err)
	}
	s.model.check(t, s.ledger)
	s.model.check(t, s.replay)
	s.model.checkQueries(t, s.ledger, from, to)
}

// sameEntry reports whether the page and the one before it stand in one entry, so that nothing ends there.
func sameEntry(l *Ledger, page int) bool {
	a, _ := l.At(addrOf(page))
	return a.Start < addrOf(page)
}

// checkReconciled holds a list of Reconcile against its order and against changes that could be one.
func checkReconciled(t *testing.T, changes []Change) {
	t.Helper()
	came := false
	for i, c := range changes {
		if c.Was == nil {
			came = true
		} else if came {
			t.Fatalf("%v goes or changes after something came", c.Range)
		}
		if i == 0 {
			continue
		}
		p := changes[i-1]
		if (p.Was == nil) == (c.Was == nil) && p.Start >= c.Start {
			t.Fatalf("%v after %v", c.Range, p.Range)
		}
		joins := func(a, b *Entry) bool { return a == nil && b == nil || a != nil && b != nil && a.joins(b) }
		if p.End == c.Start && joins(p.Was, c.Was) && joins(p.Now, c.Now) {
			t.Fatalf("%v and %v could be one", p.Range, c.Range)
		}
	}
}

// runScript interleaves operations on a few ledgers that are clones of each other.
func runScript(t *testing.T, d script) {
	sides := []*side{{ledger: New(), replay: New()}}
	event := uint64(10)
	for len(d) > 0 {
		i := d.upTo(len(sides) - 1)
		if d.upTo(15) == 0 {
			c := sides[i].clone()
			if len(sides) < 4 {
				sides = append(sides, c)
			} else {
				sides[(i+1)%len(sides)] = c
			}
			continue
		}
		sides[i].step(t, &d, &event)
		for _, s := range sides {
			s.model.check(t, s.ledger)
		}
	}
}

func TestAgainstModel(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d := make(script, 1500)
		for i := range d {
			d[i] = byte(rng.Uint32())
		}
		runScript(t, d)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzOperations(f *testing.F) {
	f.Add([]byte("mapped, split, freed, reused, by whom"))
	f.Fuzz(func(t *testing.T, d []byte) {
		if len(d) > 2000 {
			return
		}
		runScript(t, script(d))
	})
}
