package record

import "time"

// between is the least time between two snapshots of a space that crosses the bound, so that a program that keeps
// crossing it is not read all the time.
const between = time.Second

// crosses reports whether a space has risen from below Options.Bound to a new maximum above it.
func (r *Recorder) crosses(sp *space) bool {
	if r.opts.Bound <= 0 {
		return false
	}
	n, bound := sp.Ledger().Bytes(), uint64(r.opts.Bound)
	crossed := !sp.above && n > max(bound, sp.most)
	sp.above = n > bound && (sp.above || crossed)
	if sp.above {
		sp.most = max(sp.most, n)
	}
	return crossed
}

// watchSize writes a snapshot when a space crosses the bound. Its thread is still stopped, so that the figures are
// those of the moment.
func (r *Recorder) watchSize(sp *space) {
	if sp.ended || !r.crosses(sp) {
		return
	}
	now := time.Now()
	if !sp.measured.IsZero() && now.Sub(sp.measured) < between {
		return
	}
	sp.measured = now
	if s := r.snapshot(sp, "vsz"); s != nil {
		r.out.queue.Put(s)
	}
}
