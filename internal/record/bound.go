package record

import "time"

// between is the least time between two snapshots for the bound of one space: a program that goes to and fro
// across it must not be read all the time.
const between = time.Second

// tooLarge reports whether more than Options.Bound bytes are mapped in a space.
func (r *Recorder) tooLarge(sp *space) bool {
	return r.opts.Bound > 0 && sp.mm.Ledger().Bytes() > uint64(r.opts.Bound)
}

// watchSize writes a snapshot when more than Options.Bound bytes have become mapped in a space. Its thread
// is still stopped, so that the figures are those of the moment.
func (r *Recorder) watchSize(sp *space) {
	if r.opts.Bound <= 0 || sp.ended {
		return
	}
	was := sp.above
	sp.above = r.tooLarge(sp)
	if !sp.above || was {
		return
	}
	now := r.clock()
	if !sp.measured.IsZero() && now.Sub(sp.measured) < between {
		return
	}
	sp.measured = now
	if s := r.snapshot(sp, "vsz"); s != nil {
		r.queue.Put(s)
	}
}
