package record

// settleQuiet verifies the space if that is due and no call is in flight.
func (r *Recorder) settleQuiet(sp *space) {
	if !sp.gate.Quiet() || sp.ended || r.backend.stamps() {
		return // with stamps, only the backlog knows when no call is in flight
	}
	if sp.mm.Uncertain() {
		r.verify(sp, "uncertain order")
	} else if r.opts.Verify == VerifyEach {
		r.verify(sp, "")
	}
}

// verify compares the ledger with the kernel's view, corrects it, and writes the differences as drift. No call of the
// space may be in flight. why is the known cause of differences, "" if there is none. It reports whether the view
// could be read.
func (r *Recorder) verify(sp *space, why string) (compared bool) {
	drifts, compared := sp.mm.Verify(why)
	if compared {
		r.out.checks++
	}
	r.out.drift(sp, drifts, sp.events.Last())
	return compared
}
