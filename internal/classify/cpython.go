package classify

import (
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/vm"
)

var pythonFamily = Family{
	Sources: []string{"obmalloc.c"},
	Beside:  []string{"_Py*", "Py*", "new_arena"},
	Kinds:   []Row{{CPython, words("Python object arena"), nil, false, "", governed(Variable, "PYTHONMALLOC"), noAdvice}},
	Modules: []string{"python", "libpython"}, Role: "python", Exports: []string{"Py_Initialize", "PyObject_GC_Del"}, Language: true,
	Caller: callers.Allocator{Lowest: []string{"_PyObject_ArenaMmap", "_PyMem_ArenaAlloc"}},
	Labels: []Label{{"cpython:", CPython}, {"python:", CPython}}, // CPython Objects/obmalloc.c
}

var pythonFrames = words("Python frame stack")

// findCPython recognises the arenas of pymalloc (Objects/obmalloc.c: 1 MiB, 256 KiB before 3.10) and the chunks
// of the interpreter's own stack (Python/pystate.c), which the same function maps. CPython built with
// mimalloc is recognised as that.
func findCPython(v *view) {
	for i, e := range v.free {
		ev := v.events[i]
		if ev == nil || !anonymous(e) || !ev.anonymous() {
			continue
		}
		c := v.chain(ev)
		by := c.by()
		switch {
		case c.calledBy("_PyObject_ArenaMmap", "_PyMem_ArenaAlloc") && c.provenBy(&pythonFamily):
			d := Verdict{Kind: CPython, Evidence: "mmap by " + by.name}
			if c.find("allocate_chunk", "push_chunk", "_PyThreadState_BumpFramePointerSlow", "_PyThreadState_PushFrame") != "" && c.find("new_arena") == "" {
				d.name(pythonFrames)
			}
			v.claim(i, d)
		case ev.Prot != vm.ProtRead|vm.ProtWrite || ev.fixed():
		case ev.Length == 1<<20 || ev.Length == 256<<10:
			if sure := v.unnamed(c, pythonFamily.has); sure != "" {
				v.claim(i, Verdict{Kind: CPython, Confidence: sure, Evidence: "mmap of an arena's size in Python"})
			}
		case ev.Length == 16<<10:
			if sure := v.unnamed(c, pythonFamily.has); sure != "" {
				v.claim(i, Verdict{Kind: CPython, Name: pythonFrames.One, Plural: pythonFrames.Many, Confidence: sure, Evidence: "mmap of 16 KiB in Python"})
			}
		}
	}
}
