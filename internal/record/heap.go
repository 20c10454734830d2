package record

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		if live[0].Value.Kind() == metrics.KindUint64 {
			debug.SetMemoryLimit(max(modestHeap, 2*int64(live[0].Value.Uint64())+modestHeap/4))
		}
		afterCollection()
	}, struct{}{})
}
