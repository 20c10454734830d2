package inspect

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
)

// TestCPython holds the number of arenas against sys._debugmallocstats.
func TestCPython(t *testing.T) {
	testenv.Need(t, "python3")
	said, _, found := command(t, "python3", "-u", "-c", `
import os, sys
kept = [object() for i in range(300000)] + [str(i) for i in range(100000)]
del kept[100000:200000]
os.dup2(1, 2)
sys._debugmallocstats()
print("ready")
sys.stdin.read()
`)
	m := regexp.MustCompile(`# arenas allocated current\s+=\s+(\d+)`).FindStringSubmatch(strings.Join(said, "\n"))
	if m == nil {
		t.Fatalf("no statistics: %q", said)
	}
	want, _ := strconv.Atoi(m[1])
	n := 0
	for _, f := range found {
		if f.Kind == classify.CPython {
			n++
		}
	}
	if n != want || n < 5 {
		t.Errorf("%d arenas found, Python says %d", n, want)
	}
}
