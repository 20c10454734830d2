package classify

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// A testCase is one address space of a recorded program, cut down to what rules look at. The kinds wanted
// were held against what the program itself, or its memory, said (docs/kinds.md).
type testCase struct {
	Program string       `json:"program"` // what ran, for people
	Exe     string       `json:"exe"`
	PID     int          `json:"pid"`
	Threads []Thread     `json:"threads"`
	Stacks  []testStack  `json:"stacks"` // the id is the index plus 1
	Events  []testEvent  `json:"events"`
	Entries []*testEntry `json:"entries"`
}

type testStack struct {
	Frames    []string `json:"frames"` // function@module
	Addresses []uint64 `json:"addresses,omitempty"`
}

type testEvent struct {
	Seq, Over                         uint64
	T                                 int64
	Call                              string
	Addr, Length, Prot, Flags, Result uint64
	FD                                int64
	PID, TID, Stack                   int
}

type testEntry struct {
	Row    string `json:"row"` // of /proc/PID/maps
	Origin uint64 `json:"origin,omitempty"`
	Cause  string `json:"cause,omitempty"`
	Name   string `json:"name,omitempty"` // given with PR_SET_VMA
	Want   Kind   `json:"want"`
	TID    int    `json:"tid,omitempty"`
}

// readCase reads a file of testdata: an object a line, so that differences can be read.
func readCase(t testing.TB, name string) *testCase {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &testCase{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<22)
	for n := 1; lines.Scan(); n++ {
		var line struct {
			*testCase
			Thread *Thread
			Stack  *testStack
			Event  *testEvent
			Entry  *testEntry
		}
		if n == 1 {
			line.testCase = c
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: line %d: %v", name, n, err)
		}
		switch {
		case line.Thread != nil:
			c.Threads = append(c.Threads, *line.Thread)
		case line.Stack != nil:
			c.Stacks = append(c.Stacks, *line.Stack)
		case line.Event != nil:
			c.Events = append(c.Events, *line.Event)
		case line.Entry != nil:
			c.Entries = append(c.Entries, line.Entry)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return c
}

// space makes of a case what Classify takes.
func (c *testCase) space(t testing.TB) *Space {
	t.Helper()
	events := map[uint64]*Event{}
	for _, e := range c.Events {
		events[e.Seq] = &Event{Seq: e.Seq, T: e.T, Call: e.Call, Addr: e.Addr, Length: e.Length, Prot: e.Prot, Flags: e.Flags,
			Result: e.Result, FD: e.FD, PID: e.PID, TID: e.TID, Stack: e.Stack}
	}
	for _, e := range c.Events {
		if e.Over != 0 {
			events[e.Seq].Over = events[e.Over]
		}
	}
	s := &Space{PID: c.PID, Exe: c.Exe, Threads: c.Threads, Event: func(seq uint64) *Event { return events[seq] }}
	for _, e := range c.Entries {
		rows, err := vm.ParseMaps(nil, []byte(e.Row+"\n"))
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s: %v", e.Row, err)
		}
		cause, err := ledger.ParseCause(e.Cause)
		if err != nil {
			t.Fatal(err)
		}
		s.Entries = append(s.Entries, ledger.Entry{Mapping: rows[0], Origin: ledger.Origin{Event: e.Origin, Cause: cause}})
	}
	s.AnonName = func(i int) string { return c.Entries[i].Name }
	s.Frames = func(id int, yield func(callers.Call) bool) {
		if id < 1 || id > len(c.Stacks) {
			return
		}
		for _, f := range c.Stacks[id-1].Frames {
			i := strings.LastIndexByte(f, '@')
			if !yield(callers.Call{Function: f[:i], Module: callers.Named(f[i+1:])}) {
				return
			}
		}
	}
	s.Addresses = func(id int, yield func(uint64) bool) {
		if id < 1 || id > len(c.Stacks) {
			return
		}
		for _, a := range c.Stacks[id-1].Addresses {
			if !yield(a) {
				return
			}
		}
	}
	return s
}

// stripped leaves of the C library's functions only those that it exports.
func stripped(frames func(int, func(callers.Call) bool)) func(int, func(callers.Call) bool) {
	exported := []string{"malloc", "calloc", "realloc", "free", "memalign", "posix_memalign", "aligned_alloc", "mmap", "mmap64", "__mmap64", "mremap",
		"__mremap", "__libc_malloc", "__libc_calloc", "__libc_realloc", "__libc_free", "__libc_memalign", "sbrk", "brk", "__sbrk", "__brk", "clone3", "clone"}
	return func(id int, yield func(callers.Call) bool) {
		frames(id, func(c callers.Call) bool {
			if (c.Module.IsLibc() || c.Module.IsLoader()) && !slices.Contains(exported, callers.Source(c.Function)) {
				c.Function = ""
			}
			return yield(c)
		})
	}
}

// TestRecorded classifies recorded programs as they were recorded, with a C library and a loader without
// symbols, and without the names that the program gave its memory.
func TestRecorded(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".jsonl"), func(t *testing.T) {
			c := readCase(t, name)
			c.check(t, "as recorded", c.space(t))

			s := c.space(t)
			s.Frames = stripped(s.Frames)
			c.check(t, "with a stripped C library", s)

			s = c.space(t)
			s.AnonName = nil
			c.check(t, "without names given by the program", s)
		})
	}
}

// TestNameless classifies the recorded programs with no names but those that the C library exports: what is not
// known is a guess or unknown, and nothing wrong is said to be likely or certain.
func TestNameless(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		c := readCase(t, name)
		s := c.space(t)
		frames := s.Frames
		s.AnonName = nil
		s.Frames = func(id int, yield func(callers.Call) bool) {
			stripped(frames)(id, func(c callers.Call) bool {
				if !c.Module.IsLibc() {
					c.Function = ""
				}
				return yield(c)
			})
		}
		for i, d := range Known().Classify(s) {
			if d.Kind != c.Entries[i].Want && d.Confidence != Guess && !slices.Contains([]Kind{Unknown, Direct, Reserved}, d.Kind) {
				t.Errorf("%s: %s: %s (%s: %s), want %s", name, s.Entries[i].Mapping, d.Kind, d.Confidence, d.Evidence, c.Entries[i].Want)
			}
		}
	}
}

func (c *testCase) check(t *testing.T, how string, s *Space) {
	t.Helper()
	out := Known().Classify(s)
	if len(out) != len(c.Entries) {
		t.Fatalf("%s: %d verdicts for %d entries", how, len(out), len(c.Entries))
	}
	var bytes, right uint64
	for i, e := range c.Entries {
		n := s.Entries[i].Len()
		bytes += n
		if out[i].Kind == e.Want && (e.TID == 0 || out[i].TID == e.TID) {
			right += n
			continue
		}
		t.Errorf("%s: %s: %s of %d (%s: %s), want %s of %d", how, e.Row, out[i].Kind, out[i].TID, out[i].Confidence, out[i].Evidence, e.Want, e.TID)
	}
	if right != bytes {
		t.Errorf("%s, %s: %.2f %% of the bytes", c.Program, how, float64(right)/float64(bytes)*100)
	}
	checkSound(t, s, out)
}

// checkSound holds verdicts against what is true of all.
func checkSound(t testing.TB, s *Space, out []Verdict) {
	t.Helper()
	kinds := Known().Kinds()
	for i := range out {
		d := &out[i]
		if d.Kind == "" || d.Name == "" || d.Evidence == "" || d.Group < 1 || !slices.Contains(kinds, d.Kind) {
			t.Errorf("%v: %+v is not whole", s.Entries[i], *d)
		}
		if d.Confidence != Certain && d.Confidence != Likely && d.Confidence != Guess {
			t.Errorf("%v: confidence %q", s.Entries[i], d.Confidence)
		}
		if text := fmt.Sprint(d.Name, d.Detail, d.Evidence); strings.Contains(text, "  ") || strings.Contains(text, "%!") {
			t.Errorf("%v: %q", s.Entries[i], text)
		}
	}
}
