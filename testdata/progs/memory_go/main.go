// memory_go: a Go program with a heap that grew and shrank; it says what its runtime counts, and waits for its standard
// input to close.
//
//	heap BYTES       what the runtime has opened for the heap: /memory/classes/heap/* of runtime/metrics
//	mine START END   a mapping that the program made itself; those like the runtime's memory: a list of blocks of which
//	                 each begins with the place of the next, slices that are as long as the summaries of free pages
//	ready
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"unsafe"
)

var (
	kept   [][]byte
	blocks uintptr
	slices [5][3]uintptr
)

// mapped maps memory and says so.
func mapped(size int) uintptr {
	mine, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		panic(err)
	}
	mine[0] = 1
	start := uintptr(unsafe.Pointer(&mine[0]))
	fmt.Printf("mine %x %x\n", start, start+uintptr(size))
	return start
}

func main() {
	for range 200 {
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = 1
		}
		kept = append(kept, b)
	}
	kept = kept[:50]
	runtime.GC()
	mapped(3 << 20)
	for range 8 {
		p := mapped(1 << 20)
		*(*uintptr)(unsafe.Pointer(p)) = blocks
		blocks = p
	}
	for i := range slices {
		size := 8 << (14 + 3*i)
		slices[i] = [3]uintptr{mapped(size), 1, uintptr(size / 8)}
	}
	var all []metrics.Sample
	for _, d := range metrics.All() {
		if strings.HasPrefix(d.Name, "/memory/classes/heap/") {
			all = append(all, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(all)
	var heap uint64
	for _, s := range all {
		heap += s.Value.Uint64()
	}
	fmt.Printf("heap %x\nready\n", heap)
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(slices)
}
