package tracer

import (
	"runtime"
	"testing"
)

// A collection needs all goroutines to stand still for a moment. It must not have to wait for a tracee that sleeps,
// although the scheduler has not been told that its tracer waits.
func TestHurryLetsOthersCollect(t *testing.T) {
	pid := spawn(t, "sh", "-c", "read line")
	until(t, "sh reads", func() bool { return asleep(pid) })
	on(t, func(tr *Tracer) {
		if _, err := tr.Attach(pid, true); err != nil {
			t.Error(err)
			return
		}
		s := next(t, tr, Started)
		if s == nil {
			return
		}
		tr.Resume(s.Thread)
		tr.hurryUp()
		if tr.hurry.on == tr.hurry.never {
			t.Errorf("%+v", tr.hurry)
		}
		go func() {
			runtime.GC()
			tr.Wake()
		}()
		next(t, tr, Woken)
		if tr.hurry.on {
			t.Error("a wait of which the scheduler is not told did not end in time")
		}
		tr.Detach()
	})
}
