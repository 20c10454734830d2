package record

import (
	"runtime"
	"runtime/debug"
)

// modestHeap is how much memory, in bytes, Go's runtime may hold before it collects more often than
// gcPercent has it. With the pages of the executable itself that keeps a usual recording below 50 MiB.
const (
	modestHeap = 32 << 20
	gcPercent  = 200
)

// boundHeap sets how often the heap is collected: rarely while it is small, which saves time on a shared
// processor, and no more rarely than at twice what is live once it is not.
func boundHeap() {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(modestHeap)
	afterCollection()
}

// afterCollection raises the limit as what is live grows, for near the limit the collector would run all the
// time. It runs once in each cycle of the collector: when it has found the sentinel of the last one dead.
func afterCollection() {
	sentinel := new([2]*byte) // with pointers: the runtime would put it together with others otherwise
	runtime.AddCleanup(sentinel, func(struct{}) {
		var m runtime.MemStats // package runtime/metrics would add a tenth of a millisecond to every start
		runtime.ReadMemStats(&m)
		debug.SetMemoryLimit(max(modestHeap, 2*int64(m.HeapAlloc)+modestHeap/4)) // just collected: most of it is live
		afterCollection()
	}, struct{}{})
}
