package record

import (
	"fmt"
	"time"
)

// share is what part of the time the regular snapshots may take: a hundredth.
const share = 100

// An interval is a snapshot of every address space from time to time. It belongs to the tracer's goroutine.
type interval struct {
	every time.Duration // 0 for never
	told  bool          // that they are made rarer
	timer *time.Timer
}

// watchRegularly begins to take snapshots, where they were asked for; the function that it returns ends that.
func (r *Recorder) watchRegularly() (stop func()) {
	i := &r.interval
	if i.every = r.opts.SnapshotEvery; i.every <= 0 {
		return func() {}
	}
	i.timer = time.AfterFunc(i.every, func() { r.wake.ask(r.takeRegularly) })
	return func() { i.timer.Stop() }
}

// takeRegularly takes a snapshot of every space and sets when the next ones are due: so late that they take no more than a
// hundredth of the time.
func (r *Recorder) takeRegularly() {
	if r.ending != "" {
		return
	}
	begun := time.Now()
	seen := map[*space]bool{}
	for _, t := range r.tasks {
		sp := t.space
		if sp == nil || seen[sp] || sp.ended || sp.id == 0 || sp.exiting >= sp.users {
			continue
		}
		seen[sp] = true
		r.backlog.settleAll(sp)
		if s := r.snapshot(sp, "interval"); s != nil {
			r.out.queue.Put(s)
		}
	}
	took := time.Since(begun)
	next := max(r.interval.every, took*share)
	if next > r.interval.every && !r.interval.told {
		r.interval.told = true
		r.out.note("warning", "snapshots-rarer", fmt.Sprintf("--snapshot-every %v: a snapshot took %v: they are made every %v, so that they take a hundredth of the time",
			r.interval.every, took.Round(time.Millisecond), next.Round(100*time.Millisecond)))
	}
	r.interval.timer.Reset(next)
}
