package vm

// CodeAddr is a code address from a stack: an instruction pointer, or a return address, which lies after the call
// that it names and may be the first byte of another function. The pc of the innermost frame, of a frame interrupted
// by a signal and of a signal trampoline, which nothing called, is an instruction pointer.
type CodeAddr struct {
	PC   uint64
	Call bool // PC is a return address
}

// Lookup is the address to ask tables and symbols about: PC, or for a return address the last byte of the call.
func (a CodeAddr) Lookup() uint64 {
	if a.Call {
		return a.PC - 1
	}
	return a.PC
}
