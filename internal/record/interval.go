package record

import (
	"fmt"
	"time"
)

// share is the inverse of the greatest part of the time that regular snapshots may take: one hundredth.
const share = 100

// An interval schedules regular snapshots of every address space (--snapshot-every). It belongs to the tracer's
// goroutine.
type interval struct {
	every time.Duration // 0 for never
	told  bool          // the user has been told that snapshots are taken less often
	timer *time.Timer
}

// watchRegularly starts regular snapshots if Options ask for them. The returned function stops them.
func (r *Recorder) watchRegularly() (stop func()) {
	i := &r.interval
	if i.every = r.opts.SnapshotEvery; i.every <= 0 {
		return func() {}
	}
	i.timer = time.AfterFunc(i.every, func() { r.wake.ask(r.takeRegularly) })
	return func() { i.timer.Stop() }
}

// takeRegularly takes a snapshot of every space and schedules the next ones, late enough that snapshots take no more
// than a hundredth of the time.
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
