package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// collectLate has Go's first garbage collection wait until 16 MiB are in use and not 4: most of what one look at a process
// takes is gone before that. From then on memory is collected as usual. GOGC in the environment decides, where it stands there.
func collectLate() {
	const usual, late = 100, 400 // percent, the first counted from at least 4 MiB
	if os.Getenv("GOGC") != "" {
		return
	}
	debug.SetGCPercent(late)
	collected := new([16]byte)
	runtime.SetFinalizer(collected, func(*[16]byte) { debug.SetGCPercent(usual) })
}
