package tracer

// numbers finds rows of the table by number.
type numbers struct {
	n64, n32, nx32 [512]*Syscall // x32's without its bit, its own numbers are up to 547
	high           map[uint32]*Syscall
	shared         [512]bool // followed both as x86-64 and as i386 number
}

func newNumbers(rows []Syscall) *numbers {
	t := &numbers{high: make(map[uint32]*Syscall)}
	for i := range rows {
		s := &rows[i]
		if s.Nr >= 0 {
			t.n64[s.Nr] = s
			nr, _ := s.number(ABIX32)
			if nr -= x32Bit; nr < uint32(len(t.nx32)) {
				t.nx32[nr] = s
			} else {
				t.high[nr] = s
			}
		}
		if s.Nr32 >= 0 {
			t.n32[s.Nr32] = s
		}
	}
	for nr := range t.shared {
		t.shared[nr] = t.n64[nr] != nil && t.n32[nr] != nil
	}
	return t
}

// lookup returns the row for orig_rax under abi, nil where the call is not followed.
func (t *numbers) lookup(abi ABI, origRAX uint64) *Syscall {
	nr := uint32(origRAX)
	switch abi {
	case ABI32:
		if nr < uint32(len(t.n32)) {
			return t.n32[nr]
		}
		return nil
	case ABIX32:
		nr &^= x32Bit
		if nr < uint32(len(t.nx32)) {
			return t.nx32[nr]
		}
		return t.high[nr]
	}
	if nr < uint32(len(t.n64)) {
		return t.n64[nr]
	}
	return nil
}

// guess infers the convention from the number alone; sure is false if it is ambiguous.
func (t *numbers) guess(origRAX uint64) (abi ABI, sure bool) {
	nr := uint32(origRAX)
	switch {
	case nr&x32Bit != 0:
		return ABIX32, true
	case nr >= uint32(len(t.n64)):
		return ABI64, true
	case t.shared[nr]:
		return ABI64, false
	case t.n32[nr] != nil:
		return ABI32, true
	}
	return ABI64, true
}
