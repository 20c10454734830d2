package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// logs are those that package eventlog tests with: of programs that fork, exec, move and fail.
func logs(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("../eventlog/testdata/*.jsonl")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d logs in testdata: %v", len(paths), err)
	}
	return paths
}

// cutLog returns the segments of a log, each with so many events.
func cutLog(t testing.TB, path string, events uint64) []string {
	t.Helper()
	r, err := eventlog.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Header().Segment != nil {
		return nil // what is cut is a whole recording
	}
	c := NewCutter()
	var segments []string
	var lines []byte
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return append(segments, string(lines))
		}
		if err != nil {
			t.Fatal(err)
		}
		if n, _, _ := c.Counts(); n == events {
			if _, event := rec.(*eventlog.Event); event {
				segments = append(segments, string(eventlog.AppendRecord(lines, c.End())))
				lines = c.Begin(nil)
			}
		}
		lines = c.Append(lines, rec)
	}
}

// linesOf are the lines of one type.
func linesOf(log, kind string) (lines []string) {
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, fmt.Sprintf(`{"type":"%s"`, kind)) {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestSegmentsAreConsistent cuts logs at every event: what check proves of a log holds for each segment, no event is
// missing, and the last state is the same.
func TestSegmentsAreConsistent(t *testing.T) {
	cuts := 0
	for _, path := range logs(t) {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for events := uint64(1); events <= 9; events++ {
			segments := cutLog(t, path, events)
			var told []string
			for i, s := range segments {
				err := eventlog.Check(strings.NewReader(s), func(p eventlog.Problem) { t.Errorf("%s, segment %d of %d events: %v", path, i+1, events, p) })
				if err != nil {
					t.Errorf("%s, segment %d: %v", path, i+1, err)
				}
				told = append(told, linesOf(s, "event")...)
				cuts++
			}
			if len(segments) > 0 && strings.Join(told, "") != strings.Join(linesOf(string(whole), "event"), "") {
				t.Errorf("%s, in segments of %d events: they are others", path, events)
			}
			if len(segments) > 0 {
				sameState(t, path, string(whole), segments[len(segments)-1])
			}
		}
		if t.Failed() {
			return
		}
	}
	if cuts < 500 {
		t.Errorf("only %d segments", cuts)
	}
}

// sameState compares the ledgers at the end of a whole log and of its last segment.
func sameState(t *testing.T, path, whole, last string) {
	t.Helper()
	replay := func(log string) *eventlog.Replay {
		p := eventlog.NewReplay()
		r, err := eventlog.NewReader(strings.NewReader(log))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for {
			rec, err := r.Next()
			if err == io.EOF {
				return p
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Put(rec); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	a, b := replay(whole), replay(last)
	for _, s := range b.Spaces() {
		list := func(s *eventlog.SpaceState) (text []string) {
			for e := range s.Ledger.All {
				m := eventlog.MappingOf(&e)
				text = append(text, string(eventlog.AppendRecord(nil, &eventlog.Space{Mappings: []eventlog.Mapping{m}})))
			}
			return text
		}
		if got, want := strings.Join(list(s), ""), strings.Join(list(a.Space(s.ID)), ""); got != want {
			t.Errorf("%s: space %d:\n%s\nwant\n%s", path, s.ID, got, want)
		}
		if got, want := s.Last, a.Space(s.ID).Last; got != want {
			t.Errorf("%s: space %d: last event %d, want %d", path, s.ID, got, want)
		}
	}
}

// TestShownSegment: the segment that the documentation and the tests of the log's format show is one of this package's.
func TestShownSegment(t *testing.T) {
	want := cutLog(t, "../eventlog/testdata/good.jsonl", 4)[1]
	got, err := os.ReadFile("../eventlog/testdata/segment.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, []byte(want)) {
		t.Errorf("is\n%s\nwant\n%s", got, want)
	}
}

// TestForgets: what is kept for later segments does not grow with the events.
func TestForgets(t *testing.T) {
	c := NewCutter()
	c.Append(nil, &eventlog.Space{Space: 1, PID: 1, Cause: "launch"})
	c.Append(nil, &eventlog.Thread{TID: 1, PID: 1, Space: 1, What: "start"})
	seq := uint64(0)
	for range 20 * firstSweep {
		seq++
		origin := seq
		page := &eventlog.Attr{Perms: "rw-p", Dev: "00:00", Origin: &origin}
		c.Append(nil, &eventlog.Event{Seq: seq, Space: 1, PID: 1, TID: 1, Call: "mmap", Result: &eventlog.Result{Value: 0x1000, Address: true},
			Changes: []eventlog.Change{{Start: 0x1000, End: 0x2000, Now: page}}})
		seq++
		c.Append(nil, &eventlog.Event{Seq: seq, Space: 1, PID: 1, TID: 1, Call: "munmap", Result: &eventlog.Result{},
			Changes: []eventlog.Change{{Start: 0x1000, End: 0x2000, Was: page}}})
	}
	for id := 2; id < 5*mostLeft; id++ {
		one := 1
		c.Append(nil, &eventlog.Space{Space: id, PID: id, Cause: "fork", Parent: &one})
		c.Append(nil, &eventlog.Thread{TID: id, PID: id, Space: id, What: "start"})
		c.Append(nil, &eventlog.Thread{TID: id, PID: id, Space: id, What: "exit"})
	}
	if len(c.origins.by) > firstSweep || len(c.spaces) > mostLeft+2 || len(c.replay.Spaces()) > mostLeft+2 || len(c.threads) != 1 {
		t.Errorf("kept: %d events, %d and %d address spaces, %d threads", len(c.origins.by), len(c.spaces), len(c.replay.Spaces()), len(c.threads))
	}
}
