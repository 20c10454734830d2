package record

// settleQuiet holds the ledger against the kernel's view where that is due and no call is in flight.
func (r *Recorder) settleQuiet(sp *space) {
	if !sp.gate.Quiet() || sp.ended || r.backend.stamps() {
		return // with stamps it is the backlog that knows when all is quiet
	}
	if sp.mm.Uncertain() {
		r.verify(sp, "uncertain order")
	} else if r.opts.Verify == VerifyEach {
		r.verify(sp, "")
	}
}

// verify holds the ledger against the kernel's view and writes what differed. No call of the space may be in
// flight. why explains differences, "" where nothing does. It reports whether the view could be read.
func (r *Recorder) verify(sp *space, why string) (compared bool) {
	drifts, compared := sp.mm.Verify(why)
	if compared {
		r.out.checks++
	}
	r.out.drift(sp, drifts, sp.events.Last())
	return compared
}
