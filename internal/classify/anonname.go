package classify

import (
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// anonNames are the names that programs give with prctl(2) PR_SET_VMA, by how they begin, without leading
// blanks: glibc sysdeps/unix/sysv/linux/setvmaname.c and its callers, Go runtime/set_vma_name_linux.go,
// jemalloc src/pages.c, tcmalloc system_allocator.h, mimalloc src/prim/unix, CPython Objects/obmalloc.c.
var anonNames = [...]struct {
	start string
	kind  Kind
}{
	{"glibc: malloc arena", GlibcArena},
	{"glibc: malloc", GlibcLarge},
	{"glibc: pthread stack", ThreadStack},
	{"glibc: pthread user stack", ThreadStack},
	{"glibc: unused stack", ThreadStack},
	{"glibc: loader malloc", Loader},
	{"glibc: .bss", ELFBSS},
	{"Go: heap reservation", GoHeap},
	{"Go: heap index", GoOwn},
	{"Go: heap", GoHeap},
	{"Go: ", GoOwn},
	{"jemalloc_", Jemalloc},
	{"tcmalloc_region_METADATA", TCMallocOwn},
	{"tcmalloc", TCMalloc},
	{"mimalloc", Mimalloc},
	{"mi_", Mimalloc},
	{"snmalloc", Snmalloc},
	{"Ruby:", Ruby},
	{"OCaml:", OCaml},
	{"cpython:", CPython},
	{"python:", CPython},
	{"v8", V8Heap},
	{"nodejs Large Page", ELFText},
	{"stack_and_tls", ThreadStack},
}

// findNamed trusts the names that the kernel carries: nothing else knows better.
func findNamed(v *view) {
	last, lastName, group := -2, "", 0
	for i, e := range v.free {
		name := v.anonName(i, e)
		if name == "" {
			continue
		}
		if last != i-1 || lastName != name || !v.beside(i) {
			group = v.group()
		}
		last, lastName = i, name
		d := Verdict{Kind: Named, Detail: name, Group: group, Evidence: "named " + strconv.Quote(name) + " by its program"}
		text := strings.TrimLeft(name, " ")
		for _, n := range anonNames {
			if strings.HasPrefix(text, n.start) {
				d.Kind = n.kind
				break
			}
		}
		if d.Kind == Named && e.Perms&vm.Shared != 0 {
			d.Kind = SharedAnon
		}
		v.refineName(&d, i, text)
		v.claim(i, d)
	}
}

// anonName is the name that the kernel shows for entry i.
func (v *view) anonName(i int, e *ledger.Entry) string {
	for _, start := range [...]string{"[anon:", "[anon_shmem:"} {
		if name, ok := strings.CutPrefix(e.File.Path, start); ok {
			return strings.TrimSuffix(name, "]")
		}
	}
	if v.AnonName != nil {
		return v.AnonName(i)
	}
	return ""
}

// refineName adds what a name says beyond the kind: the thread of a stack.
func (v *view) refineName(d *Verdict, i int, text string) {
	switch d.Kind {
	case ThreadStack:
		d.Detail = "of an ended thread"
		_, tid, _ := strings.Cut(text, "stack: ")
		if n, err := strconv.Atoi(tid); err == nil {
			d.TID = n
			d.Detail = "of thread " + tid
		}
		if t := v.stackOwner(i); t != nil {
			d.TID = t.TID
			d.Detail = "of thread " + threadText(t)
		}
		if !accessible(&v.Entries[i]) {
			d.Kind = StackGuard
		}
	case GlibcArena:
		if ev := v.root(i); ev != nil {
			v.ownedBy(d, ev)
		}
	}
}
