package eventlog

import (
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// rows describes a ledger, one entry a line.
func rows(l *ledger.Ledger) string {
	var b strings.Builder
	for e := range l.All {
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}

// replayed replays a log up to its end or to the first record that stop is true of; last is the record before.
func replayed(t *testing.T, path string, stop func(Record) bool) (p *Replay, last Record) {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p = NewReplay()
	for {
		rec, err := r.Next()
		if err == io.EOF || err == nil && stop != nil && stop(rec) {
			return p, last
		}
		if err == nil {
			err = p.Put(rec)
		}
		if err != nil {
			t.Fatal(err)
		}
		last = rec
	}
}

func TestReplayEnd(t *testing.T) {
	p, _ := replayed(t, "testdata/good.jsonl", nil)
	if p.Seq() != 12 || len(p.Spaces()) != 3 {
		t.Errorf("seq %d, %d spaces", p.Seq(), len(p.Spaces()))
	}
	want := `555555554000-555555556000 r-xp 00000000 fe:00 131 /srv/server, kernel
555555556000-555555558000 rw-p 00002000 fe:00 131 /srv/server, kernel
555555558000-55555557a000 rw-p 00000000 00:00 0 [heap], event 1
7ffff7900000-7ffff7902000 r--p 00003000 fe:00 500 /srv/data & more.bin, event 7, moved from 7ffff7a02000, event 4
7ffff7902000-7ffff7903000 r--p 00005000 fe:00 500 /srv/data & more.bin, event 7
7ffff7a00000-7ffff7a01000 ---p 00001000 fe:00 500 /srv/data & more.bin, event 4
7ffff7a04000-7ffff7a05000 rw-p 00000000 00:00 0, drift
7ffff7a08000-7ffff7a10000 ---p 00000000 00:00 0, event 2
7ffff7c00000-7ffff7d90000 r-xp 00000000 fe:00 977 /usr/lib/x86_64-linux-gnu/libc.so.6, kernel
7ffff7ff9000-7ffff7ffd000 r--p 00000000 00:00 0 [vvar], kernel
7ffff7ffd000-7ffff7fff000 r-xp 00000000 00:00 0 [vdso], kernel
7ffffffd0000-7ffffffde000 rw-p 00000000 00:00 0 [stack], stack growth
7ffffffde000-7ffffffff000 rw-p 00000000 00:00 0 [stack], kernel
`
	if got := rows(p.Space(1).Ledger); got != want {
		t.Errorf("space 1:\n%swant:\n%s", got, want)
	}
	if s := p.Space(3); s.Cause != "exec" || s.Parent != 2 || s.After != 11 || s.Exe != "/bin/true" || s.PID != 4720 || s.Last != 0 {
		t.Errorf("space 3: %+v", s)
	}
}

func TestReplayMoments(t *testing.T) {
	for _, tt := range []struct {
		seq   uint64
		bytes uint64 // beyond what the space began with
		at    string
	}{
		{0, 0, ""},
		{1, 0x22000, ""},
		{2, 0x32000, "7ffff7a00000-7ffff7a10000 ---p 00000000 00:00 0, event 2"},
		{3, 0x32000, "7ffff7a01000-7ffff7a03000 rw-p 00000000 00:00 0, event 2"},
		{4, 0x32000, "7ffff7a00000-7ffff7a04000 r--p 00001000 fe:00 500 /srv/data & more.bin, event 4"},
		{5, 0x31000, ""},
		{6, 0x3f000, ""}, // with the drift that comes after it
		{7, 0x40000, ""},
	} {
		p, _ := replayed(t, "testdata/good.jsonl", func(r Record) bool {
			e, ok := r.(*Event)
			return ok && e.Seq > tt.seq
		})
		s := p.Space(1)
		const began = uint64(0x2000 + 0x2000 + 0x190000 + 0x4000 + 0x2000 + 0x21000)
		if p.Seq() != tt.seq || s.Ledger.Bytes() != began+tt.bytes {
			t.Errorf("seq %d: at %d, %#x bytes, want %#x", tt.seq, p.Seq(), s.Ledger.Bytes(), began+tt.bytes)
		}
		e, ok := s.Ledger.At(0x7ffff7a01000)
		if ok != (tt.at != "") || ok && e.String() != tt.at {
			t.Errorf("seq %d: %v", tt.seq, e)
		}
	}
}

// TestReplayFollows: a record that contradicts the state is reported, and followed.
func TestReplayFollows(t *testing.T) {
	one, two := uint64(1), uint64(2)
	put := func(p *Replay, r Record) {
		t.Helper()
		if err := p.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	p := NewReplay()
	a := &Attr{Perms: "rw-p", Dev: "00:00", Origin: &one}
	b := &Attr{Perms: "r--p", Dev: "00:00", Origin: &two}
	put(p, &Space{Space: 1, PID: 1, Cause: "launch"})
	put(p, &Event{Seq: 1, Space: 1, Call: "mmap", Changes: []Change{{0x8000, 0xa000, nil, a}}})
	put(p, &Drift{After: 1, Space: 1, Changes: []Change{{0x8000, 0x9000, a, nil}}, Guess: "unknown"})
	put(p, &Event{Seq: 2, Space: 1, Call: "mmap", Changes: []Change{{0x4000, 0x5000, nil, b}}})
	for _, after := range []uint64{1, 3} {
		err := p.Put(&Drift{After: after, Space: 1, Changes: []Change{{0x4000, 0x5000, b, nil}}, Guess: "unknown"})
		var late *LateError
		if !errors.As(err, &late) || *late != (LateError{after, 2}) {
			t.Errorf("a drift elsewhere: %v", err)
		}
		if !p.Space(1).Ledger.Free(vm.Range{Start: 0x4000, End: 0x5000}) {
			t.Error("a drift elsewhere was not applied")
		}
		put(p, &Drift{After: 2, Space: 1, Changes: []Change{{0x4000, 0x5000, nil, b}}, Guess: "unknown"})
	}
	err := p.Put(&Event{Seq: 3, Space: 1, Call: "munmap", Changes: []Change{{0x4000, 0x5000, b, nil}, {0x8000, 0xa000, a, nil}}})
	var conflict *ledger.Conflict
	if !errors.As(err, &conflict) {
		t.Errorf("a change that finds nothing: %v", err)
	}
	if l := p.Space(1).Ledger; l.Len() != 0 {
		t.Errorf("afterwards:\n%s", rows(l))
	}
}

// TestAttrOfReturns: what a ledger's entry becomes in the log is that entry again when it is read.
func TestAttrOfReturns(t *testing.T) {
	var c converter
	for _, e := range []ledger.Entry{
		{Origin: ledger.Origin{Event: 7}},
		{Origin: ledger.Origin{Event: 7}, Moved: &ledger.Moved{Start: 0x5000, Origin: ledger.Origin{Event: 3}}},
		{Origin: ledger.Origin{Cause: ledger.Kernel}},
		{Origin: ledger.Origin{Cause: ledger.Kernel, Exec: 4}},
		{Origin: ledger.Origin{Cause: ledger.BeforeAttach}},
		{Origin: ledger.Origin{Cause: ledger.Drift}},
		{Origin: ledger.Origin{Cause: ledger.StackGrowth}},
	} {
		e.Mapping = vm.Mapping{Range: vm.Range{Start: 0x1000, End: 0x3000}, Perms: vm.Read | vm.Shared, Offset: 4096,
			File: vm.File{Dev: vm.Dev{Major: 0xfe, Minor: 0x12345}, Inode: 1 << 60, Path: "/a"}}
		m := MappingOf(&e)
		got, err := c.entry(m.Start, m.End, &m.Attr)
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%v became %v: %v", e, got, err)
		}
	}
}
