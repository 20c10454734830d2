package e2e

import (
	"errors"
	"io"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// story is what the life-cycle tests ask of a log.
type story struct {
	end              *eventlog.End
	header           *eventlog.Header
	spaces           []eventlog.Space // without mappings
	threads          []eventlog.Thread
	notes            []eventlog.Note
	stacks, complete int
	reasons          map[string]int // of stacks that did not reach their outermost frame
}

// note returns the text of the first note with a code.
func (s *story) note(code string) string {
	for _, n := range s.notes {
		if n.Code == code {
			return n.Text
		}
	}
	return ""
}

// proven reads a log that must be whole and consistent, with no drift but the growth of stacks.
func proven(t *testing.T, path string) *story {
	t.Helper()
	return provenBut(t, path, "")
}

// provenBut is proven where one more guess is no failure.
func provenBut(t *testing.T, path, guess string) *story {
	t.Helper()
	s := &story{reasons: make(map[string]int), end: &eventlog.End{}}
	problems := 0
	err := eventlog.CheckFile(path, func(p eventlog.Problem) {
		if problems++; problems <= 5 {
			t.Errorf("%s: %v", path, p)
		}
	})
	if err != nil {
		t.Fatalf("check: %v", err)
	}
	in, err := eventlog.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s.header = in.Header()
	for {
		rec, err := in.Next()
		if errors.Is(err, io.EOF) {
			return s
		}
		if err != nil {
			t.Fatal(err)
		}
		switch rec := rec.(type) {
		case *eventlog.End:
			*s.end = *rec
		case *eventlog.Space:
			sp := *rec
			sp.Mappings = nil
			s.spaces = append(s.spaces, sp)
		case *eventlog.Thread:
			s.threads = append(s.threads, *rec)
		case *eventlog.Note:
			s.notes = append(s.notes, *rec)
		case *eventlog.Stack:
			s.stacks++
			if rec.Complete {
				s.complete++
			} else {
				s.reasons[rec.End]++
			}
		case *eventlog.Drift:
			if rec.Guess != "stack growth" && rec.Guess != guess {
				t.Errorf("%s: drift %q in space %d after %d: %d changes, first %+v", path, rec.Guess, rec.Space, rec.After, len(rec.Changes), rec.Changes[0])
			}
		}
	}
}
