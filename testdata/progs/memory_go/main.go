// memory_go: a Go program with a heap that grew and shrank; it says what its runtime counts, and waits for its standard
// input to close.
//
//	heap BYTES       what the runtime has opened for the heap: /memory/classes/heap/* of runtime/metrics
//	mine START END   a mapping that the program made itself
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

var kept [][]byte

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
	mine, err := syscall.Mmap(-1, 0, 3<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(err)
	}
	mine[0] = 1
	start := uintptr(unsafe.Pointer(&mine[0]))
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
	fmt.Printf("heap %x\nmine %x %x\nready\n", heap, start, start+uintptr(len(mine)))
	io.Copy(io.Discard, os.Stdin)
}
