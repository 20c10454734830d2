package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestCase answers what had to be found by hand in the case that this tool was made for: whose the ranges of
// a game server are, and what stood there before.
func TestCase(t *testing.T) {
	runPrograms(t, []program{{name: "case", threads: 4, also: holdCase}})
}

func holdCase(t *testing.T, r *traced) {
	if landed := r.account.other["landed"]; len(landed) != 1 || landed[0].number("landed") != 1 {
		t.Fatalf("the library did not land in the freed range: %v", landed)
	}
	space := r.log.Space(1)
	holdCaseThreads(t, r, space)
	holdArena(t, r, space)
	holdReuse(t, r, space)
	for i := range r.log.events {
		for _, name := range r.names(r.log.events[i].stack) {
			// What strace printed for functions of the stripped libc.
			if strings.HasPrefix(name, "_IO_str_seekoff") || name == "fgets" {
				t.Errorf("event %d: a frame is called %s", r.log.events[i].seq, name)
			}
		}
	}
	// What stands above is held anywhere; what cannot be held counts as skipped.
	testenv.Need(t, "libjemalloc.a")
	holdJemalloc(t, r, space)
	testenv.Need(t, "libc6-dbg")
}

// origin returns the event that made the page at addr be mapped.
func (r *traced) origin(t *testing.T, space *eventlog.SpaceState, addr uint64) (ledger.Entry, *event) {
	t.Helper()
	e, ok := space.Ledger.At(addr)
	if !ok || e.Origin.Cause != ledger.FromEvent {
		t.Fatalf("%#x: mapped: %v, origin %v", addr, ok, e.Origin)
	}
	return e, &r.log.events[e.Origin.Event-1]
}

func (r *traced) has(e *event, functions ...string) bool {
	names := r.names(e.stack)
	for _, fn := range functions {
		if !slices.Contains(names, fn) {
			return false
		}
	}
	return true
}

// holdCaseThreads: each thread has its name, and a stack that the main thread's pthread_create mapped.
func holdCaseThreads(t *testing.T, r *traced, space *eventlog.SpaceState) {
	t.Helper()
	lines := r.account.other["thread"]
	if len(lines) != 3 {
		t.Errorf("%d threads tell of themselves", len(lines))
	}
	for _, line := range lines {
		tid := int(line.number("tid"))
		var th eventlog.Thread // its last line
		for _, line := range r.log.threads {
			if line.TID == tid {
				th = line
			}
		}
		if th.Name != line["name"] || th.What != "exit" {
			t.Errorf("thread %d, %s: %+v", tid, line["name"], th)
		}
		_, e := r.origin(t, space, line.number("stack"))
		if e.call != "mmap" || e.tid != e.pid || !r.has(e, "silly_run", "main") {
			t.Errorf("stack of %s: event %d, %s of thread %d under %v", line["name"], e.seq, e.call, e.tid, r.names(e.stack))
		}
	}
}

// holdArena: the worker reserved 128 MiB under fopen, trimmed them to an aligned 64, and made a part of them
// accessible.
func holdArena(t *testing.T, r *traced, space *eventlog.SpaceState) {
	t.Helper()
	lines := r.account.other["arena"]
	if len(lines) != 1 {
		t.Fatalf("%d arenas", len(lines))
	}
	arena, tid := lines[0].span(), int(lines[0].number("tid"))
	_, e := r.origin(t, space, arena.Start)
	reserved := vm.Range{Start: e.result, End: e.result + e.args[1]}
	if e.call != "mmap" || e.tid != tid || reserved.Len() != lines[0].number("reserved") || !reserved.Covers(arena) || !r.has(e, lines[0]["fn"], "thread_worker") {
		t.Errorf("arena: event %d, %s of %v by thread %d under %v", e.seq, e.call, reserved, e.tid, r.names(e.stack))
	}
	// What fopen calls has a name in libc's debug symbols alone.
	if testenv.Has("libc6-dbg") && !slices.ContainsFunc(r.names(e.stack), func(n string) bool { return n == "fopen" || n == "fopen64" || strings.HasSuffix(n, "_fopen_internal") }) {
		t.Errorf("the arena came by fopen, and the stack is %v", r.names(e.stack))
	}
	trimmed, opened := uint64(0), uint64(0)
	for i := range r.log.events[e.seq:] {
		x := &r.log.events[int(e.seq)+i]
		if x.tid != tid || len(x.args) < 2 {
			continue
		}
		at := vm.RangeOf(x.args[0], x.args[1])
		switch {
		case x.call == "munmap" && reserved.Covers(at) && !at.Overlaps(arena):
			trimmed += at.Len()
		case x.call == "mprotect" && at.Start == arena.Start && opened == 0:
			opened = at.Len()
		}
	}
	if trimmed != reserved.Len()-arena.Len() || opened == 0 {
		t.Errorf("of the %d bytes reserved the worker freed %d, and opened %d", reserved.Len(), trimmed, opened)
	}
}

// holdJemalloc: the ranges are jemalloc's under the function that asked, and a row of the kernel that holds
// several of its mappings comes apart into them.
func holdJemalloc(t *testing.T, r *traced, space *eventlog.SpaceState) {
	t.Helper()
	lines := r.account.other["jemalloc"]
	if len(lines) < 4 {
		t.Errorf("%d allocations by jemalloc", len(lines))
	}
	var mixed int
	for _, line := range lines {
		at := line.number("start")
		_, e := r.origin(t, space, at)
		if e.call != "mmap" || e.tid != int(line.number("tid")) || !r.has(e, line["fn"]) {
			t.Errorf("jemalloc, %#x under %s: event %d, %s of thread %d under %v", at, line["fn"], e.seq, e.call, e.tid, r.names(e.stack))
		}
		if !slices.ContainsFunc(r.names(e.stack), func(n string) bool { return strings.HasPrefix(n, "je_pages_") }) {
			t.Errorf("jemalloc, %#x: no function of jemalloc's own on %v", at, r.names(e.stack))
		}
		for _, row := range r.account.sections[0].maps {
			if row.Contains(at) && holdRow(t, r, space, row.Range) > 1 {
				mixed++
			}
		}
	}
	if mixed == 0 {
		t.Error("no row of the kernel's holds several mappings of jemalloc's")
	}
}

// holdRow counts the mappings that a row of the kernel is made of. Each has an owner.
func holdRow(t *testing.T, r *traced, space *eventlog.SpaceState, row vm.Range) int {
	t.Helper()
	origins := map[uint64]bool{}
	space.Ledger.Overlapping(row, func(e ledger.Entry) bool {
		if e.Origin.Cause != ledger.FromEvent {
			t.Errorf("%v in the row %v: origin %v", e.Range, row, e.Origin)
		}
		origins[e.Origin.Event] = true
		return true
	})
	return len(origins)
}

// holdReuse: the library stands where a mapping was freed, and nothing is blamed on that one.
func holdReuse(t *testing.T, r *traced, space *eventlog.SpaceState) {
	t.Helper()
	lines := r.account.other["reused"]
	if len(lines) != 1 {
		t.Fatalf("%d ranges were used again", len(lines))
	}
	at, line := lines[0].span(), lines[0]
	var first, freed *event
	for i := range r.log.events {
		e := &r.log.events[i]
		if len(e.args) < 2 || !r.has(e, line["first"]) {
			continue
		}
		switch {
		case e.call == "mmap" && vm.RangeOf(e.result, e.args[1]).Covers(at):
			first = e
		case first != nil && e.call == "munmap" && e.args[0] == first.result:
			freed = e
		}
	}
	if first == nil || freed == nil || first.tid != int(line.number("first_tid")) || freed.tid != first.tid {
		t.Fatalf("the range was mapped by %+v and freed by %+v", first, freed)
	}
	var library uint64
	space.Ledger.Overlapping(at, func(got ledger.Entry) bool {
		_, e := r.origin(t, space, got.Start)
		if e.seq <= freed.seq || e.tid != int(line.number("then_tid")) || !r.has(e, line["then"], "ll_require", "thread_worker") {
			t.Errorf("%v: event %d, %s of thread %d under %v", got.Range, e.seq, e.call, e.tid, r.names(e.stack))
		}
		if got.File.Path == line["path"] {
			library += got.Len()
		}
		return true
	})
	if library == 0 {
		t.Errorf("no page of %v is %s", at, line["path"])
	}
	for e := range space.Ledger.All {
		if e.Origin.Event == first.seq {
			t.Errorf("%v is blamed on the mapping that was freed", e.Range)
		}
	}
}
