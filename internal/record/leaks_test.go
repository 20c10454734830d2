package record

import (
	"strings"
	"testing"
)

// A word is found wherever it lies, also across the pieces that are read.
func TestContains(t *testing.T) {
	const word = "__lsan\x00"
	for _, size := range []int{0, 3, len(word), 64 << 10, 64<<10 + 1, 200 << 10} {
		text := strings.Repeat("x", size)
		if contains(strings.NewReader(text), word) {
			t.Errorf("found in %d bytes without it", size)
		}
		for at := max(0, size-2*len(word)); at <= size; at++ {
			if !contains(strings.NewReader(text[:at]+word+text[at:]), word) {
				t.Errorf("not found at %d of %d", at, size)
			}
		}
	}
	for at := 64<<10 - len(word); at <= 64<<10; at++ {
		if !contains(strings.NewReader(strings.Repeat("x", at)+word+strings.Repeat("x", 100<<10)), word) {
			t.Errorf("not found at %d", at)
		}
	}
}
