// Says what the Go runtime knows of its heap, and dies.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"syscall"
)

func main() {
	debug.SetGCPercent(-1)
	var keep [][]byte
	for range 3000 {
		keep = append(keep, make([]byte, 10000))
	}
	keep = append(keep, make([]byte, 90<<20))
	var samples []metrics.Sample
	for _, d := range metrics.All() {
		if strings.HasPrefix(d.Name, "/memory/classes/heap/") {
			samples = append(samples, metrics.Sample{Name: d.Name})
		}
	}
	metrics.Read(samples)
	var sum uint64
	for _, s := range samples {
		sum += s.Value.Uint64()
	}
	fmt.Printf("accessible go-heap %d\n", sum)
	os.Stdout.Sync()
	runtime.KeepAlive(keep)
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
