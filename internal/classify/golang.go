package classify

import "github.com/vmblame/vmblame/internal/vm"

// goParts are the parts of the Go runtime's memory by the functions that map them (runtime/malloc.go,
// mpagealloc_64bit.go, mheap.go, mprof.go). The stacks of goroutines lie in spans of the heap.
var goParts = [...]clue{
	{GoOwn, "Go page summary", []string{"runtime.(*pageAlloc).sysInit", "runtime.(*pageAlloc).sysGrow"}},
	{GoOwn, "Go scavenge index", []string{"runtime.(*scavengeIndex).*"}},
	{GoOwn, "Go page index", []string{"runtime.(*pageAlloc).grow"}},
	{GoOwn, "Go GC bits", []string{"runtime.newMarkBits", "runtime.newAllocBits", "runtime.newArenaMayUnlock"}},
	{GoOwn, "Go span list", []string{"runtime.recordspan"}},
	{GoOwn, "Go profile buckets", []string{"runtime.stkbucket"}},
	{GoOwn, "Go execution trace", []string{"runtime.trace*", "runtime.(*trace*"}},
	{GoOwn, "Go persistent metadata", []string{"runtime.persistentalloc*"}},
}

// findGo knows what the Go runtime maps. Its function names are there even in stripped programs.
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
			d.Kind, d.Name, d.Evidence = GoOwn, "Go heap index", "mapped by runtime.(*mheap).sysAlloc"
		default:
			d.Kind = GoOwn
			if part, f := c.clue(goParts[:]); part != nil {
				d.Name, d.Evidence = part.name, "mapped by "+f
			}
		}
		n := v.run(i)
		d.Group = v.group()
		for ; i < n; i++ {
			v.claim(i, d)
		}
	}
}
