package record

import (
	"runtime"
	"runtime/debug"
)

// The heap may grow by gcPercent of what is live while that is little, which saves time on a shared processor, and by
// slack bytes, or leastPercent, once it is not. Together with the executable's own pages that keeps a usual recording
// below 50 MiB, and one of 16,384 stacks below 64.
const (
	gcPercent    = 200
	leastPercent = 50
	slack        = 10 << 20
)

// boundHeap sets how often the heap is collected.
func boundHeap() {
	debug.SetGCPercent(gcPercent)
	afterCollection(gcPercent)
}

// afterCollection sets the percentage for what is live now. It runs once per GC cycle, when the sentinel of the last cycle
// is found dead. That may be long after the end of the cycle: HeapAlloc has much in it then that is not live. What was
// follows from NextGC, which the runtime has computed from it by the percentage in force.
func afterCollection(percent int) {
	sentinel := new([2]*byte) // with pointers: the runtime would batch it with other tiny objects otherwise
	runtime.AddCleanup(sentinel, func(percent int) {
		var m runtime.MemStats // package runtime/metrics would add a tenth of a millisecond to every start
		runtime.ReadMemStats(&m)
		live := int(m.NextGC) / (100 + percent) * 100
		if want := percentFor(live); want != percent {
			debug.SetGCPercent(want)
			percent = want
		}
		afterCollection(percent)
	}, percent)
}

// percentFor returns the percentage for that many live bytes, in steps of 10: each change stops the world for a moment.
func percentFor(live int) int {
	return min(max(slack*10/max(live, 1)*10, leastPercent), gcPercent)
}
