package record

import (
	"runtime"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// TestSteadyState: once a program's calls repeat themselves, from the stop to the line of the log nothing is allocated but the entry of each new mapping in the ledger, which copies of it
// share. (Stacks are measured in unwind.)
func TestSteadyState(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const events = 2000 // a multiple of what a batch holds would hide what each batch costs
	at := vm.Range{Start: 0x7f0000000000, End: 0x7f0000002000}
	mmap := recordedCall(tracer.ABI64, "mmap", vm.Op{Kind: vm.OpMap, Len: at.Len(), Prot: vm.ProtRead | vm.ProtWrite, Flags: vm.MapPrivate | vm.MapAnonymous, FD: -1})
	munmap := recordedCall(tracer.ABI64, "munmap", vm.Op{Kind: vm.OpUnmap, Range: at, Addr: at.Start, Len: at.Len()})
	for _, c := range []struct {
		name string
		kind tracer.Backend
	}{{"two stops", tracer.BySeccomp}, {"sigtrap", tracer.BySigtrap}} {
		p := newRecorded(t, "400000-401000 r-xp /bin/one\n")
		p.r.opts.Verify = VerifyEnd
		p.r.backend.kind, p.r.tracer = c.kind, tracer.New()
		var stop tracer.Stop
		order := uint64(0)
		call := func(c *tracer.Call, result int64) {
			order++
			if p.r.backend.kind == tracer.BySigtrap {
				stop = tracer.Stop{Kind: tracer.Returned, Thread: p.thread, Call: c, Result: result, Order: order}
				p.r.handle(&stop)
				stop = tracer.Stop{Kind: tracer.Settled, Order: order}
				p.r.handle(&stop)
				return
			}
			stop = tracer.Stop{Kind: tracer.Entered, Thread: p.thread, Call: c}
			p.r.handle(&stop)
			stop = tracer.Stop{Kind: tracer.Returned, Thread: p.thread, Call: c, Result: result}
			p.r.handle(&stop)
		}
		var lines []byte
		written := 0
		round := func() {
			for range events / 2 {
				call(&mmap, int64(at.Start))
				call(&munmap, 0)
				for taken := true; taken; {
					select {
					case b := <-p.r.out.queue.Batches():
						for _, r := range b.Records {
							lines = eventlog.AppendRecord(lines[:0], r)
							written++
						}
						p.r.out.queue.Recycle(b)
					default:
						taken = false
					}
				}
			}
			p.r.out.queue.Flush()
		}
		round()
		// The runtime, and what an earlier test has left behind, allocate now and then: that is not in every measurement.
		n, runs := testing.AllocsPerRun(5, round), 6
		for ; n > events/2 && runs < 30; runs += 6 {
			n = testing.AllocsPerRun(5, round)
		}
		if n > events/2 {
			t.Errorf("%s: %.0f allocations in %d events, of which a half map", c.name, n, events)
		}
		if written < runs*events {
			t.Errorf("%s: %d of %d events were written", c.name, written, (runs+1)*events)
		}
	}
}
