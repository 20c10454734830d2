package analysis

import (
	"encoding/json"
	"runtime"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// TestSummaryMemory holds that a summary does not grow with the events: a million of them, of which a
// thousand mappings stand at any time.
func TestSummaryMemory(t *testing.T) {
	s := NewRecording("")
	s.Put(&eventlog.Space{Space: 1, PID: 1, Cause: "launch", Exe: "/bin/x"})
	const live, events = 1000, 1_000_000
	stack := 1
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	seq := uint64(0)
	origins := make([]uint64, live)
	put := func(n int) {
		for range n {
			seq++
			i := int(seq) % live
			at := eventlog.Hex(0x7f0000000000 + i<<20)
			e := &eventlog.Event{Seq: seq, Space: 1, PID: 1, TID: 1, Call: "mmap", Stack: &stack}
			if old := origins[i]; old != 0 {
				e.Changes = append(e.Changes, eventlog.Change{Start: at, End: at + 4096, Was: &eventlog.Attr{Perms: "rw-p", Dev: "00:00", Origin: &old}})
			}
			now := seq
			e.Changes = append(e.Changes, eventlog.Change{Start: at, End: at + 4096, Now: &eventlog.Attr{Perms: "rw-p", Dev: "00:00", Origin: &now}})
			origins[i] = seq
			s.Put(e)
		}
	}
	put(2 * live)
	before := heap()
	put(events)
	after := heap()
	if grown := int64(after) - int64(before); grown > 2<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if p := s.Summary().Report.Processes[0]; p.Total.Reserved != live*4096 || p.Total.Mappings != live {
		t.Errorf("%+v, want %d bytes of %d mappings", p.Total, live*4096, live)
	}
	runtime.KeepAlive(s)
}

// TestManyThreads holds that a thread that ended costs nothing, unless something that it made is left, or its stack.
func TestManyThreads(t *testing.T) {
	s := NewRecording("")
	s.Put(&eventlog.Space{Space: 1, PID: 1, Cause: "launch", Exe: "/bin/x"})
	s.Put(&eventlog.Thread{TID: 1, PID: 1, Space: 1, What: "start"})
	const stackAt, keptAt = 0x7f0000000000, 0x7f1000000000
	seq := uint64(0)
	mmap := func(tid int, now int64, at eventlog.Hex) {
		seq++
		origin := seq
		s.Put(&eventlog.Event{Seq: seq, T: now, Space: 1, PID: 1, TID: tid, Call: "mmap", Changes: []eventlog.Change{{Start: at, End: at + 1<<20, Now: &eventlog.Attr{Perms: "rw-p", Dev: "00:00", Origin: &origin}}}})
	}
	mmap(1, 1, stackAt)
	for i := range 10 * firstSweep {
		tid, now := 2+i, int64(10*i+10)
		s.Put(&eventlog.Thread{T: now, TID: tid, PID: 1, Space: 1, What: "start", Name: "worker", SP: stackAt + 4096})
		if i == 7 {
			mmap(tid, now+1, keptAt)
		}
		s.Put(&eventlog.Thread{T: now + 2, TID: tid, PID: 1, Space: 1, What: "exit"})
		if known := s.fold.state.threads; known.known > firstSweep+3 || len(known.byTID) != known.known || len(known.bySpace[1]) != known.known {
			t.Fatalf("%d threads are known, %d by their tids, %d of the space", known.known, len(known.byTID), len(known.bySpace[1]))
		}
	}
	if n := s.fold.state.threads.name(9, 81); n != "worker" {
		t.Errorf("who made what is left was called %q", n)
	}
}

// TestManyProcesses holds that a process that ended costs nothing unless it is shown.
func TestManyProcesses(t *testing.T) {
	s := NewRecording("")
	one := 1
	s.Put(&eventlog.Space{Space: 1, PID: 1, Cause: "launch", Exe: "/bin/make"})
	s.Put(&eventlog.Thread{TID: 1, PID: 1, Space: 1, What: "start"})
	for i := 2; i < 2000; i++ {
		m := eventlog.Mapping{Start: 0x1000, End: eventlog.Hex(0x1000 + i*4096), Attr: eventlog.Attr{Perms: "rw-p", Dev: "00:00", OriginCause: "kernel", Exec: new(eventlog.ExecSeq)}}
		s.Put(&eventlog.Space{Space: i, PID: i, Cause: "fork", Parent: &one, Exe: "/bin/cc", Mappings: []eventlog.Mapping{m}})
		s.Put(&eventlog.Thread{TID: i, PID: i, Space: i, What: "start"})
		s.Put(&eventlog.Thread{TID: i, PID: i, Space: i, What: "exit"})
		if len(s.fold.replay.Spaces()) > 2+endedKept {
			t.Fatalf("%d processes are kept", len(s.fold.replay.Spaces()))
		}
	}
	s.Put(&eventlog.End{Cause: "exit"})
	sum := s.Summary()
	list := sum.Report.Processes
	if sum.Processes != 1999 || len(list) != 1+endedKept || list[0].PID != 1 || list[1].PID != 1999 || list[2].PID != 1998 || list[1].Total.Reserved != 1999<<12 {
		t.Errorf("%d processes, %d of them in the report: %+v", sum.Processes, len(list), list[:3])
	}
}

// BenchmarkSummary is the cost of a mapping made and taken away, which stands on the path of every event.
func BenchmarkSummary(b *testing.B) {
	s := NewRecording("")
	s.Put(&eventlog.Space{Space: 1, PID: 1, Cause: "launch", Exe: "/bin/x"})
	stack := 1
	var seq uint64
	attr := eventlog.Attr{Perms: "rw-p", Dev: "00:00", Origin: &seq}
	mmap := &eventlog.Event{Space: 1, PID: 1, TID: 1, Call: "mmap", Stack: &stack, Changes: []eventlog.Change{{Start: 0x1000, End: 0x2000, Now: &attr}}}
	munmap := &eventlog.Event{Space: 1, PID: 1, TID: 1, Call: "munmap", Stack: &stack, Changes: []eventlog.Change{{Start: 0x1000, End: 0x2000, Was: &attr}}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		seq = uint64(2*i + 1)
		mmap.Seq, munmap.Seq = seq, seq+1
		s.Put(mmap)
		s.Put(munmap)
	}
}

// TestSummaryParts: all processes that ran count, vfork children too, and each part of the JSON says what it is.
func TestSummaryParts(t *testing.T) {
	r := NewRecording("")
	reader, err := textLog(mapLine(1, 0x7f0000000000, 0x7f0000002000),
		`{"type":"thread","t":11000,"tid":11,"pid":11,"space":1,"what":"start","name":"x"}`, `{"type":"thread","t":12000,"tid":11,"pid":11,"space":1,"what":"exit","name":"x"}`,
		`{"type":"thread","t":13000,"tid":12,"pid":10,"space":1,"what":"start","name":"x"}`,
		`{"type":"end","t":40000,"cause":"exit","exit":{"code":0},"events":1,"stacks":0,"checks":0,"drifts":0,"lost":0}`)()
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := reader.Next(); err == nil; rec, err = reader.Next() {
		r.Put(rec)
	}
	s := r.Summary()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var parts struct {
		Type        string
		End, Report struct{ Type string }
	}
	if err := json.Unmarshal(b, &parts); err != nil || s.Processes != 2 || parts.Type != "summary" || parts.End.Type != "end" || parts.Report.Type != "report" {
		t.Errorf("%d processes, %+v, %v", s.Processes, parts, err)
	}
}
