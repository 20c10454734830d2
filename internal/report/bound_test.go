package report

import (
	"bytes"
	"strings"
	"testing"
)

// TestBound: the crossing is told with its call and stack, once.
func TestBound(t *testing.T) {
	var b bytes.Buffer
	feed(t, "testdata/case.jsonl", NewBound(&b, 100<<20))
	text := b.String()
	for _, word := range []string{"pid 9817 silly has 140.", "more than 100.0 MiB", "thread 9838 worker", "mmap(NULL, 134217728, PROT_NONE", "luaL_loadfilex"} {
		if !strings.Contains(text, word) {
			t.Errorf("%q is missing in:\n%s", word, text)
		}
	}
	if n := strings.Count(text, "vmblame:"); n != 1 {
		t.Errorf("told %d times", n)
	}
}
