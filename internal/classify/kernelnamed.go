package classify

import (
	"fmt"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// breakFamily is the program break and the main stack, which the kernel labels.
var breakFamily = Family{Kinds: []Row{
	{Heap, mass("program heap (brk)"), nil, false, "", hint(Variable, "MALLOC_TRIM_THRESHOLD_").hint(Tunable, "glibc.malloc.trim_threshold").
		by(Variable, "MALLOC_TOP_PAD_ MALLOC_MMAP_THRESHOLD_ MALLOC_ARENA_MAX LD_PRELOAD").
		by(Tunable, "glibc.malloc.top_pad glibc.malloc.mmap_threshold glibc.malloc.arena_max"), adviseHeap},
	{MainStack, words("main stack"), nil, false, "", governed(Machine, "rlimit_stack"), noAdvice},
}}

func adviseHeap(u *Usage) (int64, string) {
	spared := u.Reserved - u.Resident - u.Swapped
	if !u.Known || spared < u.Reserved/2 {
		return 0, ""
	}
	return spared, fmt.Sprintf("%s of the program heap are address space only: MALLOC_TRIM_THRESHOLD_=131072 (or GLIBC_TUNABLES=glibc.malloc.trim_threshold) gives its free end back to the kernel", u.Size(spared))
}

// kernelFamily is what the kernel maps into every process.
var kernelFamily = Family{Kinds: []Row{
	{VDSO, words("kernel's vdso"), &Heading{string(VDSO), mass("the kernel's vdso and vvar"), AsOne}, false, "", ungoverned, noAdvice},
	{Uprobes, Words{"page for uprobes", "pages for uprobes"}, nil, false, "", ungoverned, noAdvice},
}}

// findKernelNamed recognises what the kernel itself labels: the heap that brk(2) made, the main stack, its own
// pages (fs/proc/task_mmu.c, get_vma_name).
func findKernelNamed(v *view) {
	heap, stack := 0, 0
	for i, e := range v.free {
		ev := v.events[i]
		path := e.File.Path
		switch {
		// The label is also on what lies over the program break's place, as V8's code may; the break itself is never executable.
		case ev != nil && ev.Call == "brk", path == "[heap]" && ev == nil && e.Perms&vm.Exec == 0 && !v.afterData(i):
			if heap == 0 {
				heap = v.group()
			}
			v.claim(i, Verdict{Kind: Heap, Group: heap, Detail: v.heapUser(ev), Evidence: "the program break, brk(2)"})
		case ev == nil && (path == "[stack]" || e.Origin.Cause == ledger.StackGrowth && path == "" && v.grownFrom(i) == nil):
			if stack == 0 {
				stack = v.group()
			}
			d := Verdict{Kind: MainStack, Group: stack, TID: v.PID, Evidence: "the kernel's label [stack]"}
			v.claim(i, d)
		case strings.HasPrefix(path, "[vdso"), strings.HasPrefix(path, "[vvar"), path == "[vsyscall]":
			v.claim(i, Verdict{Kind: VDSO, Detail: strings.Trim(path, "[]"), Evidence: "the kernel's label " + path})
		case strings.HasPrefix(path, "[uprobes"):
			v.claim(i, Verdict{Kind: Uprobes, Evidence: "the kernel's label " + path})
		}
	}
}

// grownFrom returns the call that made the mapping into which entry i is growth, nil for the main stack. The kernel
// also extends mappings made with MAP_GROWSDOWN.
func (v *view) grownFrom(i int) *Event {
	for v.Entries[i].Origin.Cause == ledger.StackGrowth && v.beside(i+1) {
		i++
	}
	return v.root(i)
}

// afterData reports whether entry i is zeroed data of the program's that the kernel labels [heap], because the
// program break begins where it ends.
func (v *view) afterData(i int) bool {
	if v.Entries[i].Origin.Cause != ledger.Kernel || !v.beside(i) {
		return false
	}
	before := &v.Entries[i-1]
	return before.File.Backed()
}

// heapUser returns who moved the program break, "" for the C library's malloc.
func (v *view) heapUser(ev *Event) string {
	by := v.chain(ev).by()
	switch {
	case by == frame{}, by.in.IsLibc(), isAllocation(by.name), by.name == "__glibc_morecore", by.name == "alloc_meta", by.name == "__malloc_alloc_meta":
		return ""
	case by.name == "":
		return "of " + by.module
	}
	return "by " + by.name
}
