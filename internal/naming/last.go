package naming

import (
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// Last names what is left. It is called when all stacks have been added, no process writes to its perf map any more,
// and Background has been told to stop; background is closed when Background has returned. Last waits at most within, 0
// for as long as it takes. What has no name by then is left to another process: rest is what that needs, nil if nothing
// is left. It belongs to the goroutine that handles stops.
func (n *Names) Last(background <-chan struct{}, within time.Duration) (named []eventlog.Record, rest *Rest) {
	n.perf.finish()
	done := make(chan struct{})
	var broken any // a panic
	go func() {
		defer close(done)
		defer func() { broken = recover() }()
		<-background
		n.Prepare()
		n.nameCode()
	}()
	if within > 0 {
		late := time.NewTimer(within)
		defer late.Stop()
		select {
		case <-done:
		case <-late.C:
			return n.leave()
		}
	}
	if <-done; broken != nil {
		panic(broken)
	}
	return n.takeReady(), nil
}

// leave gives up what is not ready: names found from now on are dropped, since another process looks for them.
func (n *Names) leave() ([]eventlog.Record, *Rest) {
	n.nameCode() // in a text that is read once
	n.handing.Lock()
	defer n.handing.Unlock()
	rest := &Rest{DebugDirs: n.options.DebugDirs, Debuginfod: n.options.Debuginfod}
	n.mu.Lock()
	n.left = true
	for _, some := range []map[int][]uint64{n.working, n.todo} {
		for id, addrs := range some {
			rest.add(id, n.known[id], addrs)
		}
	}
	n.mu.Unlock()
	if len(rest.Modules) == 0 {
		rest = nil
	}
	return n.takeReady(), rest
}
