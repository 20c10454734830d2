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
	said, _, found := command(t, testenv.Python(t), "-u", "-c", `
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
		if f.Kind == classify.CPython && f.Detail == "" {
			n++
		}
	}
	if n != want || n < 5 {
		t.Errorf("%d arenas found, Python says %d", n, want)
	}
}

// TestCPythonFrames: threads that are deep in recursion have the chunks of their stacks where the addresses of the innermost
// frames lie, and what the program mapped itself, as large as a chunk, is none.
func TestCPythonFrames(t *testing.T) {
	said, l, found := command(t, testenv.Python(t), "-u", "-c", `
import mmap, sys, threading
sys.setrecursionlimit(100000)
threading.stack_size(64 << 20)
end, begun = threading.Event(), threading.Barrier(4)
def deep(n):
    if n == 0:
        begun.wait()
        end.wait()
    else:
        deep(n - 1)
kept = [threading.Thread(target=deep, args=(n,)) for n in (10, 2000, 5000)]
for k in kept: k.start()
begun.wait()
mine = [mmap.mmap(-1, 16384, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for i in range(5)]
for m in mine: m[0] = 1
print("version", sys.version_info.minor)
print("ready")
sys.stdin.read()
end.set()
`)
	if v := number(t, said, "version"); v < 11 {
		testenv.Lacks(t, "a Python of 3.11 or later")
	}
	frames := bytesOf(l, found, classify.CPython, "frame stack", false)
	var claims rangeSet
	for _, f := range found {
		for _, p := range f.Parts {
			claims.add(p.Range)
		}
	}
	var unknown uint64
	for i := range l.Rows {
		if e := &l.Rows[i]; private(e) && e.File.Path == "" {
			for _, r := range claims.free(e.Range) {
				unknown += r.Len()
			}
		}
	}
	// 7,000 frames of at least 80 bytes; all that nobody knows is what the program mapped, and a page or two of the loader's.
	if frames < 7000*80 || frames%pyChunk != 0 || unknown < 5*16384 || unknown > 5*16384+32<<10 {
		t.Errorf("%d bytes of frames, %d unknown", frames, unknown)
	}
}
