package classify

import (
	"fmt"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

// goParts lists the parts of the Go runtime's memory by the functions that map them (runtime/malloc.go,
// mpagealloc_64bit.go, mheap.go, mprof.go). The stacks of goroutines lie in spans of the heap.
var goParts = [...]clue{
	{GoOwn, Words{"Go page summary", "Go page summaries"}, []string{"runtime.(*pageAlloc).sysInit", "runtime.(*pageAlloc).sysGrow"}},
	{GoOwn, Words{"Go scavenge index", "Go scavenge indexes"}, []string{"runtime.(*scavengeIndex).*"}},
	{GoOwn, Words{"Go page index", "Go page indexes"}, []string{"runtime.(*pageAlloc).grow"}},
	{GoOwn, mass("Go GC bits"), []string{"runtime.newMarkBits", "runtime.newAllocBits", "runtime.newArenaMayUnlock"}},
	{GoOwn, words("Go span list"), []string{"runtime.recordspan"}},
	{GoOwn, mass("Go profile buckets"), []string{"runtime.stkbucket"}},
	{GoOwn, words("Go execution trace"), []string{"runtime.trace*", "runtime.(*trace*"}},
	{GoOwn, mass("Go persistent metadata"), []string{"runtime.persistentalloc*"}},
}

var goSettings = hint(Variable, "GOMEMLIMIT GOGC").by(Variable, "GODEBUG GOMAXPROCS").by(Machine, "cpus")

var goFamily = Family{
	Language: true,
	Kinds: []Row{
		{GoHeap, words("Go heap"), nil, false, "", goSettings, adviseGo},
		{GoOwn, mass("Go runtime metadata"), nil, false, "", goSettings, noAdvice},
	},
	// The functions through which a Go program asks its runtime and the kernel for memory: runtime/mem.go, mem_linux.go and malloc.go.
	Caller: callers.Allocator{Functions: []string{"runtime.*", "internal/runtime/*", "internal/cpu.*", "syscall.*",
		// runtime/cgo, in C and assembly
		"x_cgo_*", "_cgo_*", "threadentry", "crosscall*"}, Pages: []string{
		"runtime.asmcgocall*", "runtime.callCgoMmap", "runtime.mmap.func1",
		"runtime.sysMmap", "runtime.mmap", "runtime.sysReserveOS", "runtime.sysReserve", "runtime.sysReserveAligned", "runtime.sysMapOS", "runtime.sysMap",
		"runtime.sysAllocOS", "runtime.sysAlloc", "runtime.persistentalloc", "runtime.persistentalloc1", "runtime.persistentalloc.func1", "runtime.systemstack",
	}},
	Labels: []Label{{"Go: heap reservation", GoHeap}, {"Go: heap index", GoOwn}, {"Go: heap", GoHeap}, {"Go: ", GoOwn}}, // runtime/set_vma_name_linux.go
}

func adviseGo(u *Usage) (int64, string) {
	if !u.Known || u.Resident < 64<<20 {
		return 0, ""
	}
	return u.Resident / 4, fmt.Sprintf("the Go heap has %s resident: GOMEMLIMIT=%dMiB bounds what the garbage collector lets it grow to, GOGC=50 collects sooner; both cost CPU time", u.Size(u.Resident), u.Resident*3/4>>20)
}

// isGo reports whether there is a Go runtime in the process: its mappings bear its names, or its functions are on
// a stack.
func (v *view) isGo() bool {
	if v.golang == 0 {
		v.golang = -1
		for i := range v.Entries {
			name := v.anonName(i, &v.Entries[i])
			if v.out[i].Kind == GoHeap || v.out[i].Kind == GoOwn || strings.HasPrefix(name, "Go: ") || v.chain(v.events[i]).find("runtime.*") != "" {
				v.golang = 1
			}
		}
	}
	return v.golang > 0
}

// findGo recognises what the Go runtime maps. Even stripped Go programs keep their function names.
func findGo(v *view) {
	for i, e := range v.free {
		ev := v.events[i]
		if ev == nil || !anonymous(e) {
			continue
		}
		c := v.chain(ev)
		if !c.calledBy("runtime.*") {
			continue
		}
		if root := v.root(i); v.chain(root).calledBy("runtime.*") {
			ev, c = root, v.chain(root)
		}
		d := Verdict{Evidence: ev.Call + " by " + c.by().name}
		switch {
		case c.find("runtime.(*mheap).sysAlloc") != "" && ev.Prot == vm.ProtNone:
			d.Kind, d.Evidence = GoHeap, "reserved by runtime.(*mheap).sysAlloc"
		case c.find("runtime.(*mheap).sysAlloc") != "":
			d.Kind, d.Evidence = GoOwn, "mapped by runtime.(*mheap).sysAlloc"
			d.name(Words{"Go heap index", "Go heap indexes"})
		default:
			d.Kind = GoOwn
			if part, f := c.clue(goParts[:]); part != nil {
				d.Evidence = "mapped by " + f
				d.name(part.words)
			}
		}
		v.claimAll(i, v.run(i), d)
	}
}
