package inspect

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestLookalikes: memory that looks like an allocator's is at most guessed to be that, and what it is a copy of is known.
func TestLookalikes(t *testing.T) {
	said, _, found := program(t, "memory_lookalikes")
	told := map[string]string{}
	for _, f := range found {
		for _, p := range f.Parts {
			told[fmt.Sprintf("%s %v", f.Kind, p.Range)] = f.Evidence
			lines(said, "own %x %x", func(scan func(...any)) {
				var own vm.Range
				if scan(&own.Start, &own.End); own.Overlaps(p.Range) && f.Confidence != classify.Guess {
					t.Errorf("%v is the program's own, said to be %s, %s: %s", own, f.Kind, f.Confidence, f.Evidence)
				}
			})
		}
	}
	for word, kind := range map[string]classify.Kind{"heap": classify.GlibcArena, "large": classify.GlibcLarge} {
		n := lines(said, word+" %x %x", func(scan func(...any)) {
			var r vm.Range
			scan(&r.Start, &r.End)
			if told[fmt.Sprintf("%s %v", kind, r)] == "" {
				t.Errorf("%v is no %s", r, kind)
			}
		})
		if n != 1 {
			t.Errorf("%d lines of %s", n, word)
		}
	}
}

// TestLies: structures that lie, loop or are endless tell nothing, and a look at them ends.
func TestLies(t *testing.T) {
	for _, name := range []string{"memory_lies_arena", "memory_lies_thread", "memory_lies_runtimes", "memory_lies_coroutine", "memory_lies_stack"} {
		said, _, found := program(t, name)
		lines(said, "thread %x %x", func(scan func(...any)) {
			var r vm.Range
			scan(&r.Start, &r.End)
			if _, kind := told(found, r); kind != classify.ThreadStack {
				t.Errorf("%s: %v is a thread's stack, said to be %q", name, r, kind)
			}
		})
		n := lines(said, "own %x %x", func(scan func(...any)) {
			var own vm.Range
			scan(&own.Start, &own.End)
			for _, f := range found {
				for _, p := range f.Parts {
					if own.Overlaps(p.Range) && f.Confidence != classify.Guess {
						t.Errorf("%s: %v is the program's own, said to be %s %s, %s: %s", name, own, f.Kind, f.Detail, f.Confidence, f.Evidence)
					}
				}
			}
		})
		if n < 5 {
			t.Errorf("%s: %d mappings of its own: %q", name, n, said)
		}
	}
}

// TestNamespace: in a pid namespace of its own a process calls its threads by other numbers than those who look at it.
func TestNamespace(t *testing.T) {
	testenv.Need(t, "root", "unshare")
	_, l, _ := program(t, "memory_malloc", "unshare", "--pid", "--fork", "--kill-child")
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", l.PID))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatal(err)
	}
	inside, err := OpenLive(pid)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	of := map[int]int{}
	for _, f := range Look(&inside.Process) {
		if f.Kind == classify.ThreadStack {
			of[f.TID]++
		}
	}
	// One stack is that of a thread that has ended.
	for i := range inside.Threads {
		if tid := inside.Threads[i].TID; tid != pid && of[tid] != 1 {
			t.Errorf("%d stacks of thread %d", of[tid], tid)
		}
	}
	if len(inside.Threads) != 4 || of[0] != 1 || len(of) != 4 {
		t.Errorf("stacks %v of %d threads", of, len(inside.Threads))
	}
}
