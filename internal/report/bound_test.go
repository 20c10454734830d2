package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// TestBound: the crossing is told with its call and stack, once.
func TestBound(t *testing.T) {
	var b bytes.Buffer
	feed(t, "testdata/case.jsonl", NewBound(&b, 100<<20, text.Style{}))
	got := b.String()
	for _, word := range []string{"pid 9817 silly has 140.", "more than 100.0 MiB", "thread 9838 worker", "mmap(NULL, 134217728, PROT_NONE", "luaL_loadfilex"} {
		if !strings.Contains(got, word) {
			t.Errorf("%q is missing in:\n%s", word, got)
		}
	}
	if n := strings.Count(got, "vmblame:"); n != 1 {
		t.Errorf("told %d times", n)
	}
}

// TestBoundOnce: a program that goes to and fro across the bound is told of once, and again only past a higher mark.
func TestBoundOnce(t *testing.T) {
	var b bytes.Buffer
	u := NewBound(&b, 100<<20, text.Style{})
	u.Put(&eventlog.Space{Space: 1, PID: 7, Exe: "/bin/x", Cause: "launch"})
	mapped := uint64(0)
	seq := uint64(0)
	for _, mib := range []uint64{50, 120, 130, 50, 120, 130, 50, 125, 131, 140, 50, 139, 50, 200} {
		seq++
		e := &eventlog.Event{Seq: seq, Space: 1, PID: 7, TID: 7, Call: "mmap"}
		if mapped > 0 {
			e.Changes = append(e.Changes, eventlog.Change{End: eventlog.Hex(mapped), Was: &eventlog.Attr{}})
		}
		mapped = mib << 20
		e.Changes = append(e.Changes, eventlog.Change{End: eventlog.Hex(mapped), Now: &eventlog.Attr{}})
		u.Put(e)
	}
	told := b.String()
	for _, seq := range []int{2, 9, 14} {
		if !strings.Contains(told, fmt.Sprintf("(event %d)", seq)) {
			t.Errorf("event %d is not told of", seq)
		}
	}
	if n := strings.Count(told, "vmblame:"); n != 3 {
		t.Errorf("told %d times:\n%s", n, told)
	}
}
