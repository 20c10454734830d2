package report

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// TestSummaryFits holds that no line of a table is wider than the terminal.
func TestSummaryFits(t *testing.T) {
	for _, width := range []int{80, 100, 200} {
		var b bytes.Buffer
		feed(t, "testdata/case.jsonl", newSummary(&b, "", text.Style{Width: width}))
		for line := range strings.Lines(b.String()) {
			line = strings.TrimSuffix(line, "\n")
			if !strings.HasPrefix(line, "vmblame:") && utf8.RuneCountInString(line) > width {
				t.Errorf("width %d: %d columns: %s", width, utf8.RuneCountInString(line), line)
			}
		}
		for _, word := range []string{"mapped", "explained", "luaL_loadfilex"} {
			if !strings.Contains(b.String(), word) {
				t.Errorf("width %d: %q is missing", width, word)
			}
		}
	}
}

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

// TestManyProcesses holds that a process that ended costs nothing unless it is shown.
func TestManyProcesses(t *testing.T) {
	var b bytes.Buffer
	s := newSummary(&b, "", text.Style{})
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
	for _, want := range []string{"of 1999 processes", "pid 1 make", "pid 1999 cc: 7.8 MiB", "pid 1998 cc", "1996 more processes"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, b.String())
		}
	}
}

// addLogs begins a corpus with the logs of testdata.
func addLogs(f *testing.F) {
	f.Helper()
	logs, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(logs) == 0 {
		f.Fatal("no logs in testdata", err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
}

// FuzzViews: no log makes a view panic.
func FuzzViews(f *testing.F) {
	addLogs(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := eventlog.NewReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer r.Close()
		sinks := []eventlog.Sink{NewLive(io.Discard), newSummary(io.Discard, "", text.Style{Width: 1})}
		for {
			rec, err := r.Next()
			if err != nil {
				break
			}
			for _, s := range sinks {
				if err := s.Put(rec); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, s := range sinks {
			s.Put(&eventlog.End{})
		}
	})
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
