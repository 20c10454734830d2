package unwind

// Caller says how the frame of a function that has made a call leads to the return address of its own caller.
type Caller struct {
	Outermost bool  // the table says that it has no caller; the rest is 0
	Register  int   // RegRSP or RegRBP, as they are once the call has returned
	Offset    int64 // from the register's value to the end of the frame, whose last word is the return address
}

// CallerOf returns the Caller of the function that pc, an address of the file, returns to, by .eh_frame alone. ok is false if no call instruction ends
// at pc, or if the table has no rule for it or one of another form.
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

// Uncalled reports whether nothing can have left pc, an address of the file, on a stack as a return address: no call instruction ends there, and it is
// not the code that a signal handler returns to. It reports false for code that cannot be read.
func (m *Module) Uncalled(pc uint64) bool {
	if m.file == nil || pc < maxCall {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mem.Bytes(pc-maxCall, maxCall) != nil && m.code(pc)&flagAfterCall == 0 && !m.isSigreturn(pc)
}
