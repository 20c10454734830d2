package unwind

// Caller says how the frame of a function that has made a call leads to the return address of its own caller.
type Caller struct {
	Outermost bool  // the table says that it has no caller; the rest is 0
	Register  int   // RegRSP or RegRBP, as they are once the call has returned
	Offset    int64 // from the register's value to the end of the frame, whose last word is the return address
}

// CallerOf returns that of the function to which pc, an address of the file, is a return address, by .eh_frame alone.
// ok is false where no call instruction ends at pc, and where the table has another rule, or none, for it.
func (m *Module) CallerOf(pc uint64) (c Caller, ok bool) {
	if m.file == nil || pc == 0 {
		return Caller{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() {
		if recover() != nil { // as in row
			c, ok = Caller{}, false
		}
	}()
	e, found := m.ehFrame().Find(pc - 1)
	if !found || m.code(pc)&flagAfterCall == 0 {
		return Caller{}, false
	}
	r, err := interpret(&e, pc-1, 0)
	switch {
	case err != nil:
		return Caller{}, false
	case r.kind == kindEnd:
		return Caller{Outermost: true}, true
	case r.kind != kindCFA || r.ra != -8 || r.cfaReg != RegRSP && r.cfaReg != RegRBP:
		return Caller{}, false
	}
	return Caller{Register: int(r.cfaReg), Offset: int64(r.cfaOff)}, true
}

// Uncalled reports whether nothing can have left pc, an address of the file, as a return address by itself: no call
// instruction ends there, and it is not where a signal's handler returns to. Of code that cannot be read it is false.
func (m *Module) Uncalled(pc uint64) bool {
	if m.file == nil || pc < maxCall {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mem.Bytes(pc-maxCall, maxCall) != nil && m.code(pc)&flagAfterCall == 0 && !m.isSigreturn(pc)
}
