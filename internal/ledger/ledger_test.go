package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// Tests write pieces as text, in pages: "10-14 rw-p #1" is anonymous memory with the origin event 1,
// " a@3" a file at page 3 of it, " <20#1" where it was moved from.

func text(e *Entry) string {
	if e == nil {
		return "nothing"
	}
	s := fmt.Sprintf("%d-%d %v", e.Start/vm.PageSize, e.End/vm.PageSize, e.Perms)
	if e.File.Path != "" {
		s += " " + e.File.Path
	}
	if e.File.Backed() {
		s += fmt.Sprintf("@%d", e.Offset/vm.PageSize)
	} else if e.Offset != 0 {
		s += fmt.Sprintf(" offset %d without a file", e.Offset)
	}
	s += originText(e.Origin)
	if e.Moved != nil {
		s += fmt.Sprintf(" <%d%s", e.Moved.Start/vm.PageSize, strings.TrimSpace(originText(e.Moved.Origin)))
	}
	return s
}

func originText(o Origin) string {
	if o.Cause == FromEvent {
		return fmt.Sprintf(" #%d", o.Event)
	}
	return " " + o.String()
}

func changeTexts(changes []Change) []string {
	out := []string{}
	for _, c := range changes {
		at := fmt.Sprintf("%d-%d", c.Start/vm.PageSize, c.End/vm.PageSize)
		side := func(e *Entry) string { return strings.TrimPrefix(text(e), at+" ") }
		out = append(out, fmt.Sprintf("%s: %s -> %s", at, side(c.Was), side(c.Now)))
	}
	return out
}

func stateTexts(l *Ledger) []string {
	out := []string{}
	for e := range l.All {
		out = append(out, text(&e))
	}
	return out
}

func pages(from, to uint64) vm.Range {
	return vm.Range{Start: from * vm.PageSize, End: to * vm.PageSize}
}

func event(n uint64) Origin { return Origin{Event: n} }

const rw = vm.Read | vm.Write

func anon(from, to, origin uint64) Entry {
	return Entry{Mapping: vm.Mapping{Range: pages(from, to), Perms: rw}, Origin: event(origin)}
}

func fileMapping(from, to, offset uint64, name string) vm.Mapping {
	return vm.Mapping{Range: pages(from, to), Perms: vm.Read, Offset: offset * vm.PageSize,
		File: vm.File{Dev: vm.Dev{Major: 8}, Inode: uint64(name[0]), Path: name}}
}

func file(from, to, offset, origin uint64) Entry {
	return Entry{Mapping: fileMapping(from, to, offset, "a"), Origin: event(origin)}
}

func TestOperations(t *testing.T) {
	grown := anon(8, 10, 2)
	grown.Moved = &Moved{0x900 * vm.PageSize, event(1)}
	row := func(m vm.Mapping, edit func(*vm.Mapping)) vm.Mapping {
		edit(&m)
		return m
	}
	type ledger = *Ledger
	for _, c := range []struct {
		name    string
		start   []Entry
		do      func(l ledger, dst []Change) []Change
		changes []string
		state   []string
	}{
		{"remove nothing", []Entry{anon(10, 14, 1)},
			func(l ledger, dst []Change) []Change { return l.Remove(pages(14, 20), dst) },
			nil, []string{"10-14 rw-p #1"}},
		{"remove an empty range", []Entry{anon(10, 14, 1)},
			func(l ledger, dst []Change) []Change { return l.Remove(pages(12, 12), dst) },
			nil, []string{"10-14 rw-p #1"}},
		{"remove the middle of a file", []Entry{file(10, 20, 5, 1)},
			func(l ledger, dst []Change) []Change { return l.Remove(pages(12, 15), dst) },
			[]string{"12-15: r--p a@7 #1 -> nothing"}, []string{"10-12 r--p a@5 #1", "15-20 r--p a@10 #1"}},
		{"remove over pieces and holes", []Entry{anon(10, 14, 1), anon(14, 16, 2), file(20, 24, 0, 3)},
			func(l ledger, dst []Change) []Change { return l.Remove(pages(12, 22), dst) },
			[]string{"12-14: rw-p #1 -> nothing", "14-16: rw-p #2 -> nothing", "20-22: r--p a@0 #3 -> nothing"},
			[]string{"10-12 rw-p #1", "22-24 r--p a@2 #3"}},
		{"add into a hole, neighbours of another origin", []Entry{anon(10, 12, 1), anon(14, 16, 1)},
			func(l ledger, dst []Change) []Change { return l.Add(anon(12, 14, 2), dst) },
			[]string{"12-14: nothing -> rw-p #2"}, []string{"10-12 rw-p #1", "12-14 rw-p #2", "14-16 rw-p #1"}},
		{"add between neighbours of the same origin", []Entry{anon(10, 12, 1), anon(14, 16, 1)},
			func(l ledger, dst []Change) []Change { return l.Add(anon(12, 14, 1), dst) },
			[]string{"12-14: nothing -> rw-p #1"}, []string{"10-16 rw-p #1"}},
		{"add over live pieces", []Entry{anon(10, 14, 1), file(16, 20, 0, 2)},
			func(l ledger, dst []Change) []Change { return l.Add(anon(12, 18, 3), dst) },
			[]string{"12-14: rw-p #1 -> nothing", "16-18: r--p a@0 #2 -> nothing", "12-18: nothing -> rw-p #3"},
			[]string{"10-12 rw-p #1", "12-18 rw-p #3", "18-20 r--p a@2 #2"}},
		{"add inside one piece", []Entry{file(10, 20, 0, 1)},
			func(l ledger, dst []Change) []Change { return l.Add(anon(12, 14, 2), dst) },
			[]string{"12-14: r--p a@2 #1 -> nothing", "12-14: nothing -> rw-p #2"},
			[]string{"10-12 r--p a@0 #1", "12-14 rw-p #2", "14-20 r--p a@4 #1"}},
		{"add anonymous memory with an offset", nil,
			func(l ledger, dst []Change) []Change {
				e := anon(1, 2, 1)
				e.Offset = 4096
				return l.Add(e, dst)
			},
			[]string{"1-2: nothing -> rw-p #1"}, []string{"1-2 rw-p #1"}},
		{"protect splits", []Entry{file(10, 20, 3, 1)},
			func(l ledger, dst []Change) []Change { return l.Protect(pages(12, 14), vm.Read|vm.Exec, dst) },
			[]string{"12-14: r--p a@5 #1 -> r-xp a@5 #1"},
			[]string{"10-12 r--p a@3 #1", "12-14 r-xp a@5 #1", "14-20 r--p a@7 #1"}},
		{"protect there and back makes one again", []Entry{anon(10, 20, 1)},
			func(l ledger, dst []Change) []Change {
				return l.Protect(pages(12, 14), rw, l.Protect(pages(12, 14), 0, dst))
			},
			[]string{"12-14: rw-p #1 -> ---p #1", "12-14: ---p #1 -> rw-p #1"}, []string{"10-20 rw-p #1"}},
		{"protect what has it already, over holes", []Entry{anon(10, 12, 1), file(14, 16, 0, 2), anon(18, 20, 3)},
			func(l ledger, dst []Change) []Change { return l.Protect(pages(8, 19), rw, dst) },
			[]string{"14-16: r--p a@0 #2 -> rw-p a@0 #2"},
			[]string{"10-12 rw-p #1", "14-16 rw-p a@0 #2", "18-20 rw-p #3"}},
		{"protect keeps sharing", []Entry{{Mapping: vm.Mapping{Range: pages(10, 12), Perms: rw | vm.Shared}, Origin: event(1)}, anon(12, 14, 1)},
			func(l ledger, dst []Change) []Change { return l.Protect(pages(10, 14), vm.Read|vm.Shared, dst) },
			[]string{"10-12: rw-s #1 -> r--s #1", "12-14: rw-p #1 -> r--p #1"},
			[]string{"10-12 r--s #1", "12-14 r--p #1"}},
		{"name part of anonymous memory", []Entry{anon(10, 20, 1), file(20, 22, 0, 1)},
			func(l ledger, dst []Change) []Change {
				return l.SetFile(pages(18, 22), vm.File{Path: "[anon:x]"}, dst)
			},
			[]string{"18-20: rw-p #1 -> rw-p [anon:x] #1"},
			[]string{"10-18 rw-p #1", "18-20 rw-p [anon:x] #1", "20-22 r--p a@0 #1"}},
		{"extend", []Entry{file(10, 12, 3, 1)},
			func(l ledger, dst []Change) []Change { return l.Extend(pages(12, 15), event(2), dst) },
			[]string{"12-15: nothing -> r--p a@5 #2"}, []string{"10-12 r--p a@3 #1", "12-15 r--p a@5 #2"}},
		{"extend what does not end there", []Entry{anon(10, 12, 1)},
			func(l ledger, dst []Change) []Change {
				return l.Extend(pages(0, 1), event(2), l.Extend(pages(13, 15), event(2), l.Extend(pages(11, 15), event(2), dst)))
			},
			nil, []string{"10-12 rw-p #1"}},
		{"extend what was moved", []Entry{grown},
			func(l ledger, dst []Change) []Change { return l.Extend(pages(10, 11), event(2), dst) },
			[]string{"10-11: nothing -> rw-p #2"}, []string{"8-10 rw-p #2 <2304#1", "10-11 rw-p #2"}},
		{"cut what was moved", []Entry{grown},
			func(l ledger, dst []Change) []Change { return l.Remove(pages(8, 9), dst) },
			[]string{"8-9: rw-p #2 <2304#1 -> nothing"}, []string{"9-10 rw-p #2 <2305#1"}},
		{"move and grow", []Entry{file(10, 12, 3, 1), anon(21, 30, 2)},
			func(l ledger, dst []Change) []Change {
				return l.Move(pages(10, 12), 20*vm.PageSize, 3*vm.PageSize, event(3), false, dst)
			},
			[]string{"21-23: rw-p #2 -> nothing", "10-12: r--p a@3 #1 -> nothing",
				"20-22: nothing -> r--p a@3 #3 <10#1", "22-23: nothing -> r--p a@5 #3"},
			[]string{"20-22 r--p a@3 #3 <10#1", "22-23 r--p a@5 #3", "23-30 rw-p #2"}},
		{"move and shrink", []Entry{anon(10, 16, 1)},
			func(l ledger, dst []Change) []Change {
				return l.Move(pages(10, 16), 20*vm.PageSize, 2*vm.PageSize, event(3), false, dst)
			},
			[]string{"10-16: rw-p #1 -> nothing", "20-22: nothing -> rw-p #3 <10#1"},
			[]string{"20-22 rw-p #3 <10#1"}},
		{"move pieces with a hole between", []Entry{anon(10, 12, 1), file(13, 15, 0, 2), anon(15, 17, 3)},
			func(l ledger, dst []Change) []Change {
				return l.Move(pages(11, 16), 30*vm.PageSize, 5*vm.PageSize, event(4), false, dst)
			},
			[]string{"11-12: rw-p #1 -> nothing", "13-15: r--p a@0 #2 -> nothing", "15-16: rw-p #3 -> nothing",
				"30-31: nothing -> rw-p #4 <11#1", "32-34: nothing -> r--p a@0 #4 <13#2", "34-35: nothing -> rw-p #4 <15#3"},
			[]string{"10-11 rw-p #1", "16-17 rw-p #3", "30-31 rw-p #4 <11#1", "32-34 r--p a@0 #4 <13#2", "34-35 rw-p #4 <15#3"}},
		{"move pieces with a hole between onto something", []Entry{anon(10, 12, 1), anon(13, 14, 2), file(30, 40, 0, 3)},
			func(l ledger, dst []Change) []Change {
				return l.Move(pages(10, 15), 31*vm.PageSize, 5*vm.PageSize, event(4), false, dst)
			},
			[]string{"31-33: r--p a@1 #3 -> nothing", "34-35: r--p a@4 #3 -> nothing", "10-12: rw-p #1 -> nothing", "13-14: rw-p #2 -> nothing",
				"31-33: nothing -> rw-p #4 <10#1", "34-35: nothing -> rw-p #4 <13#2"},
			[]string{"30-31 r--p a@0 #3", "31-33 rw-p #4 <10#1", "33-34 r--p a@3 #3", "34-35 rw-p #4 <13#2", "35-40 r--p a@5 #3"}},
		{"move what was moved", []Entry{grown},
			func(l ledger, dst []Change) []Change {
				return l.Move(pages(8, 10), 20*vm.PageSize, 2*vm.PageSize, event(3), false, dst)
			},
			[]string{"8-10: rw-p #2 <2304#1 -> nothing", "20-22: nothing -> rw-p #3 <8#2"},
			[]string{"20-22 rw-p #3 <8#2"}},
		{"move and keep the old range", []Entry{anon(10, 12, 1)},
			func(l ledger, dst []Change) []Change {
				return l.Move(pages(10, 12), 20*vm.PageSize, 2*vm.PageSize, event(3), true, dst)
			},
			[]string{"20-22: nothing -> rw-p #3 <10#1"}, []string{"10-12 rw-p #1", "20-22 rw-p #3 <10#1"}},
		{"a second mapping (old_size 0), longer than the first", []Entry{file(10, 14, 3, 1)},
			func(l ledger, dst []Change) []Change {
				return l.Move(pages(12, 12), 20*vm.PageSize, 4*vm.PageSize, event(3), false, dst)
			},
			[]string{"20-22: nothing -> r--p a@5 #3 <12#1", "22-24: nothing -> r--p a@7 #3"},
			[]string{"10-14 r--p a@3 #1", "20-22 r--p a@5 #3 <12#1", "22-24 r--p a@7 #3"}},
		{"move nothing", []Entry{anon(10, 12, 1)},
			func(l ledger, dst []Change) []Change {
				return l.Move(pages(12, 12), 20*vm.PageSize, vm.PageSize, event(3), false, dst)
			},
			nil, []string{"10-12 rw-p #1"}},
		{"reconcile equal rows of other boundaries", []Entry{anon(10, 12, 1), anon(12, 14, 2), file(14, 18, 0, 3)},
			func(l ledger, dst []Change) []Change {
				return l.Reconcile(pages(0, 100), []vm.Mapping{anon(10, 14, 0).Mapping, fileMapping(14, 15, 0, "a"), fileMapping(15, 18, 1, "a")}, event(9), dst)
			},
			nil, []string{"10-12 rw-p #1", "12-14 rw-p #2", "14-18 r--p a@0 #3"}},
		{"reconcile adds and removes", []Entry{anon(10, 14, 1)},
			func(l ledger, dst []Change) []Change {
				return l.Reconcile(pages(0, 100), []vm.Mapping{anon(12, 16, 0).Mapping, anon(16, 18, 0).Mapping}, Origin{Cause: Drift}, dst)
			},
			[]string{"10-12: rw-p #1 -> nothing", "14-18: nothing -> rw-p drift"},
			[]string{"12-14 rw-p #1", "14-18 rw-p drift"}},
		{"reconcile cuts both to the range", []Entry{anon(10, 20, 1)},
			func(l ledger, dst []Change) []Change {
				return l.Reconcile(pages(12, 14), []vm.Mapping{fileMapping(1, 30, 0, "a")}, event(2), dst)
			},
			[]string{"12-14: rw-p #1 -> nothing", "12-14: nothing -> r--p a@11 #2"},
			[]string{"10-12 rw-p #1", "12-14 r--p a@11 #2", "14-20 rw-p #1"}},
		{"reconcile permissions and a path", []Entry{file(10, 14, 0, 1), file(14, 18, 4, 2)},
			func(l ledger, dst []Change) []Change {
				gone := row(fileMapping(10, 18, 0, "a"), func(m *vm.Mapping) { m.File.Path = "a (deleted)" })
				none := row(gone.Slice(pages(12, 16)), func(m *vm.Mapping) { m.Perms = 0 })
				return l.Reconcile(pages(0, 100), []vm.Mapping{gone.Slice(pages(10, 12)), none, gone.Slice(pages(16, 18))}, event(9), dst)
			},
			[]string{"12-14: r--p a@2 #1 -> ---p a@2 #1", "14-16: r--p a@4 #2 -> ---p a@4 #2"},
			[]string{"10-12 r--p a@0 #1", "12-14 ---p a@2 #1", "14-16 ---p a@4 #2", "16-18 r--p a@6 #2"}},
		{"reconcile a name", []Entry{anon(10, 14, 1)},
			func(l ledger, dst []Change) []Change {
				m := row(anon(10, 14, 1).Mapping, func(m *vm.Mapping) { m.File.Path = "[anon:a]" })
				return l.Reconcile(pages(0, 100), []vm.Mapping{m}, event(9), dst)
			},
			[]string{"10-14: rw-p #1 -> rw-p [anon:a] #1"},
			[]string{"10-14 rw-p [anon:a] #1"}},
		{"reconcile another offset, another inode, another sharing", []Entry{file(10, 16, 0, 1)},
			func(l ledger, dst []Change) []Change {
				shared := row(fileMapping(14, 16, 4, "a"), func(m *vm.Mapping) { m.Perms |= vm.Shared })
				return l.Reconcile(pages(10, 16), []vm.Mapping{fileMapping(10, 12, 1, "a"), fileMapping(12, 14, 2, "b"), shared}, event(9), dst)
			},
			[]string{"10-16: r--p a@0 #1 -> nothing", "10-12: nothing -> r--p a@1 #9", "12-14: nothing -> r--p b@2 #9", "14-16: nothing -> r--s a@4 #9"},
			[]string{"10-12 r--p a@1 #9", "12-14 r--p b@2 #9", "14-16 r--s a@4 #9"}},
		{"reconcile with nothing", []Entry{anon(10, 14, 1), anon(14, 16, 2)},
			func(l ledger, dst []Change) []Change { return l.Reconcile(pages(12, 15), nil, event(9), dst) },
			[]string{"12-14: rw-p #1 -> nothing", "14-15: rw-p #2 -> nothing"},
			[]string{"10-12 rw-p #1", "15-16 rw-p #2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := New()
			for _, e := range c.start {
				l.Add(e, nil)
			}
			before := l.Clone()
			changes := c.do(l, nil)
			if got := changeTexts(changes); !slices.Equal(got, c.changes) {
				t.Errorf("changes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.changes, "\n"))
			}
			if got := stateTexts(l); !slices.Equal(got, c.state) {
				t.Errorf("state\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.state, "\n"))
			}
			if err := before.Apply(changes); err != nil {
				t.Errorf("Apply: %v", err)
			}
			if got := stateTexts(before); !slices.Equal(got, c.state) {
				t.Errorf("state after Apply\n%s", strings.Join(got, "\n"))
			}
		})
	}
}

func TestLoad(t *testing.T) {
	l := New()
	l.Add(anon(90, 99, 1), nil)
	rows := []vm.Mapping{fileMapping(20, 22, 0, "a"), fileMapping(22, 24, 2, "a"), anon(10, 12, 0).Mapping, {}, anon(12, 14, 0).Mapping}
	l.Load(rows, func(m vm.Mapping) Origin {
		if m.File.Backed() {
			return Origin{Cause: Kernel, Exec: 3}
		}
		return event(m.Start / vm.PageSize)
	})
	want := []string{"10-12 rw-p #10", "12-14 rw-p #12", "20-24 r--p a@0 kernel (event 3)"}
	if got := stateTexts(l); !slices.Equal(got, want) || l.Bytes() != 8*vm.PageSize || l.Len() != 3 {
		t.Errorf("%q, %d bytes, %d entries", got, l.Bytes(), l.Len())
	}
}

func TestApplyRejects(t *testing.T) {
	ptr := func(e Entry) *Entry { return &e }
	with := func(e Entry, edit func(*Entry)) *Entry {
		edit(&e)
		return &e
	}
	now := anon(10, 20, 2)
	for _, c := range []struct {
		change Change
		want   string // of the conflict, "" for another error
	}{
		{Change{pages(10, 20), nil, &now}, "10-20: nothing, have 10-20 r--p a@5 #1"},
		{Change{pages(0, 11), nil, ptr(anon(0, 11, 2))}, "10-11: nothing, have 10-11 r--p a@5 #1"},
		{Change{pages(30, 31), ptr(file(30, 31, 5, 1)), nil}, "30-31: 30-31 r--p a@5 #1, have nothing"},
		{Change{pages(18, 22), ptr(file(18, 22, 13, 1)), nil}, "20-22: 20-22 r--p a@15 #1, have nothing"},
		{Change{pages(8, 12), ptr(file(8, 12, 3, 1)), nil}, "8-10: 8-10 r--p a@3 #1, have nothing"},
		{Change{pages(10, 12), ptr(file(10, 12, 6, 1)), nil}, "10-12: 10-12 r--p a@6 #1, have 10-12 r--p a@5 #1"},
		{Change{pages(10, 12), ptr(file(10, 12, 5, 2)), nil}, "10-12: 10-12 r--p a@5 #2, have 10-12 r--p a@5 #1"},
		{Change{pages(10, 12), with(file(10, 12, 5, 1), func(e *Entry) { e.Perms = rw }), nil}, "10-12: 10-12 rw-p a@5 #1, have 10-12 r--p a@5 #1"},
		{Change{pages(10, 12), with(file(10, 12, 5, 1), func(e *Entry) { e.Moved = &Moved{} }), nil}, "10-12: 10-12 r--p a@5 #1 <0#0, have 10-12 r--p a@5 #1"},
		{Change{pages(40, 42), with(anon(40, 42, 4), func(e *Entry) { e.Moved = &Moved{vm.PageSize, event(3)} }), nil},
			"40-42: 40-42 rw-p #4 <1#3, have 40-42 rw-p #4 <2#3"},
		{Change{pages(10, 12), nil, nil}, ""},
		{Change{pages(12, 10), ptr(file(12, 10, 5, 1)), nil}, ""},
		{Change{vm.Range{Start: 10*vm.PageSize + 1, End: 11 * vm.PageSize}, nil, &now}, ""},
		{Change{pages(10, 12), ptr(file(10, 13, 5, 1)), nil}, ""},
		{Change{pages(10, 12), ptr(file(10, 12, 5, 1)), &now}, ""},
	} {
		l := New()
		l.Add(file(10, 20, 5, 1), nil)
		l.Add(*with(anon(40, 42, 4), func(e *Entry) { e.Moved = &Moved{2 * vm.PageSize, event(3)} }), nil)
		good := Change{Range: pages(50, 51), Now: ptr(anon(50, 51, 5))}
		late := Change{Range: pages(60, 61), Now: ptr(anon(60, 61, 6))}
		err := l.Apply([]Change{good, c.change, late})
		if err == nil || !strings.HasPrefix(err.Error(), "change 1: ") {
			t.Errorf("%v: error %v", c.change, err)
		}
		var conflict *Conflict
		got := ""
		if errors.As(err, &conflict) {
			got = fmt.Sprintf("%d-%d: %s, have %s", conflict.Range.Start/vm.PageSize, conflict.Range.End/vm.PageSize, text(conflict.Want), text(conflict.Have))
		}
		if got != c.want {
			t.Errorf("conflict %q, want %q (%v)", got, c.want, err)
		}
		want := []string{"10-20 r--p a@5 #1", "40-42 rw-p #4 <2#3", "50-51 rw-p #5"}
		if got := stateTexts(l); !slices.Equal(got, want) {
			t.Errorf("%v: after the error the ledger is %q", c.change, got)
		}
	}
}

// TestApplyCopies writes over what Apply was given, as a reader of a log does that uses its memory again.
func TestApplyCopies(t *testing.T) {
	l := New()
	now := anon(10, 12, 1)
	if err := l.Apply([]Change{{Range: now.Range, Now: &now}}); err != nil {
		t.Fatal(err)
	}
	now = Entry{}
	if got := stateTexts(l); !slices.Equal(got, []string{"10-12 rw-p #1"}) {
		t.Errorf("ledger is %q", got)
	}
}

func TestDiffers(t *testing.T) {
	l := New()
	l.Add(anon(10, 12, 1), nil)
	l.Add(anon(12, 14, 2), nil)
	l.Add(file(20, 24, 0, 3), nil)
	a, b := anon(10, 14, 0).Mapping, fileMapping(20, 24, 0, "a")
	for _, c := range []struct {
		name   string
		kernel []vm.Mapping
		want   bool
	}{
		{"merged", []vm.Mapping{a, b}, false},
		{"split", []vm.Mapping{a.Slice(pages(10, 11)), a.Slice(pages(11, 13)), a.Slice(pages(13, 14)), b.Slice(pages(20, 23)), b.Slice(pages(23, 24))}, false},
		{"empty", nil, true},
		{"first missing", []vm.Mapping{b}, true},
		{"last missing", []vm.Mapping{a}, true},
		{"one too many", []vm.Mapping{a, b, anon(30, 31, 0).Mapping}, true},
		{"one between", []vm.Mapping{a, anon(16, 17, 0).Mapping, b}, true},
		{"one before", []vm.Mapping{anon(1, 2, 0).Mapping, a, b}, true},
		{"begins earlier", []vm.Mapping{anon(9, 14, 0).Mapping, b}, true},
		{"begins later", []vm.Mapping{a.Slice(pages(11, 14)), b}, true},
		{"ends earlier", []vm.Mapping{a, b.Slice(pages(20, 23))}, true},
		{"ends later", []vm.Mapping{a, fileMapping(20, 25, 0, "a")}, true},
		{"hole", []vm.Mapping{a.Slice(pages(10, 12)), a.Slice(pages(13, 14)), b}, true},
		{"other offset", []vm.Mapping{a, fileMapping(20, 24, 1, "a")}, true},
		{"other offset in the second half", []vm.Mapping{a, b.Slice(pages(20, 22)), fileMapping(22, 24, 0, "a")}, true},
	} {
		if got := l.Differs(c.kernel); got != c.want {
			t.Errorf("%s: Differs = %v", c.name, got)
		}
	}
	if New().Differs(nil) {
		t.Error("an empty ledger differs from no rows")
	}
	kernel := []vm.Mapping{a, b}
	if n := testing.AllocsPerRun(10, func() { l.Differs(kernel) }); n != 0 {
		t.Errorf("Differs allocates %v times", n)
	}
}

// TestPairAllocations bounds what an mmap and its munmap allocate: the entry itself.
func TestPairAllocations(t *testing.T) {
	l, _ := filled(1000)
	var changes []Change
	if n := testing.AllocsPerRun(100, func() {
		r := hole(1000, 5)
		changes = l.Add(Entry{Mapping: vm.Mapping{Range: r}, Origin: event(1)}, changes[:0])
		changes = l.Remove(r, changes)
	}); n > 2 {
		t.Errorf("%v allocations", n)
	}
}

// TestClonesInGoroutines changes clones side by side; the race detector sees what they share.
func TestClonesInGoroutines(t *testing.T) {
	const n, clones = 500, 4
	l, rows := filled(n)
	var wg sync.WaitGroup
	for c := range clones {
		one := l.Clone()
		wg.Go(func() {
			for i := range n {
				e := anon(0, 0, uint64(c+1))
				e.Range = hole(n, i*(c+1))
				one.Add(e, nil)
				one.Covered(rows[i].Range)
				for range one.All {
					break
				}
			}
			for i := range n {
				one.Remove(hole(n, i), nil)
			}
			if one.Differs(rows) {
				t.Errorf("clone %d differs from the beginning", c)
			}
		})
	}
	for i := range n / 2 {
		l.Remove(rows[i].Range, nil)
	}
	wg.Wait()
	if l.Differs(rows[n/2:]) {
		t.Error("the original differs from what it was made")
	}
}

func TestOrigin(t *testing.T) {
	for c := FromEvent; c <= StackGrowth; c++ {
		if got, err := ParseCause(c.String()); err != nil || got != c {
			t.Errorf("ParseCause(%q) = %v, %v", c.String(), got, err)
		}
	}
	if c, err := ParseCause("kernal"); err == nil {
		t.Errorf("ParseCause of nonsense is %v", c)
	}
	e := anon(1, 2, 7)
	e.Moved = &Moved{0x5000, Origin{Cause: Kernel, Exec: 4}}
	if got, want := e.String(), "00001000-00002000 rw-p 00000000 00:00 0, event 7, moved from 5000, kernel (event 4)"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}
