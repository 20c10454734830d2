package classify

import (
	"slices"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// partitionAllocFamily: Chromium's base/allocator/partition_allocator.
var partitionAllocFamily = Family{
	Kinds:  []Row{{PartitionAlloc, mass("PartitionAlloc"), nil, false, "", ungoverned, noAdvice}},
	Caller: callers.Allocator{Functions: []string{"partition_alloc::*", "allocator_shim::*"}},
	Labels: []Label{{"partition_alloc", PartitionAlloc}},
	Calls:  []string{"partition_alloc::*"},
}

const (
	paPool      = 16 << 30 // the length of one of PartitionAlloc's pools
	v8Sandboxed = 1 << 40  // bytes of V8's sandbox, with its guards more
)

// findChromium recognises the reservations of a Chromium or Electron without symbols by their lengths and places; all
// go through PartitionAlloc, V8's too. They are two adjacent pools at a multiple of their length, the heap of C++
// objects trimmed to such a multiple, the sandbox, the code range and, if there are pools, the records of these.
func findChromium(v *view) {
	pools := false
	end := 0 // of the run that was looked at last
	look := func(i int, e *ledger.Entry) {
		if i < end {
			return
		}
		ev := v.root(i)
		if ev == nil || !anonymous(e) || !ev.anonymous() || ev.Prot != vm.ProtNone || ev.Flags&vm.MapNoReserve != 0 || v.unnamed(v.chain(ev), isV8) == "" {
			return
		}
		n := v.run(i)
		end = n
		kept := vm.Range{Start: e.Start, End: v.Entries[n-1].End}
		d := Verdict{Confidence: Likely, Evidence: "reserved as Chromium does, so long, in a program of V8's"}
		switch {
		case ev.Length == 2*paPool && kept.Len() == 2*paPool && kept.Start%(2*paPool) == 0:
			d.Kind, pools = PartitionAlloc, true
		case ev.Length == 2*paPool && kept.Len() == paPool && kept.Start%paPool == 0:
			d.Kind = V8Heap
		case ev.Length == paPool && kept.Len() == paPool && pools:
			d.Kind = PartitionAlloc
		case ev.Length > v8Sandboxed:
			d.Kind = V8Cage
		case ev.Length >= 64<<20 && ev.Length&(ev.Length-1) == 0 && slices.ContainsFunc(v.Entries[i:n], func(e ledger.Entry) bool { return e.Perms&vm.Exec != 0 }):
			d.Kind = V8Code
		default:
			return
		}
		v.claimAll(i, n, d)
	}
	for range 2 { // the records may lie below the pools
		end = 0
		for i, e := range v.free {
			look(i, e)
		}
	}
}
