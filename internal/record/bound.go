package record

import "time"

// between is the least time between two snapshots of a space that crosses the bound, so that a program that keeps
// crossing it is not read all the time.
const between = time.Second

// crosses reports whether a space has risen from below a bound to a new maximum above it; one of 0 or less is none.
func (sp *space) crosses(limit int64) bool {
	if limit <= 0 {
		return false
	}
	n, bound := sp.Ledger().Bytes(), uint64(limit)
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
	if sp.ended || !sp.crosses(r.opts.Bound) {
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
