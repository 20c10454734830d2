package record

import (
	"runtime"
	"runtime/debug"
)

// While little is live, the heap may grow by gcPercent of that, which saves time on a shared processor. Once more is
// live it may grow by slack bytes, or by leastPercent. With the executable's own pages this keeps a typical recording
// below 50 MiB, and one with 16,384 stacks below 64 MiB.
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

// afterCollection sets the percentage for what is live now. It runs after a GC cycle, when the sentinel of the
// previous cycle has been found unreachable. That may be long after the cycle's end, and HeapAlloc then includes much
// that is not live, so the live heap is derived from NextGC, which the runtime has computed from it with the current
// percentage.
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
