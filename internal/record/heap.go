package record

import (
	"runtime"
	"runtime/debug"
)

// modestHeap is how much memory, in bytes, Go's runtime may hold before it collects more often than gcPercent says.
// Together with the executable's own pages that keeps a usual recording below 50 MiB.
const (
	modestHeap = 32 << 20
	gcPercent  = 200
)

// boundHeap sets how often the heap is collected: rarely while it is small, which saves time on a shared processor,
// and once it is not, at twice the live heap at the latest.
func boundHeap() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(modestHeap)
	afterCollection()
}

// afterCollection raises the limit as the live heap grows, since near the limit the collector would run all the time.
// It runs once per GC cycle, when the sentinel of the last cycle is found dead.
func afterCollection() {
	sentinel := new([2]*byte) // with pointers: the runtime would batch it with other tiny objects otherwise
	runtime.AddCleanup(sentinel, func(struct{}) {
		var m runtime.MemStats // package runtime/metrics would add a tenth of a millisecond to every start
		runtime.ReadMemStats(&m)
		debug.SetMemoryLimit(max(modestHeap, 2*int64(m.HeapAlloc)+modestHeap/4)) // just collected: most of it is live
		afterCollection()
	}, struct{}{})
}
