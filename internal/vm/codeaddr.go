package vm

// CodeAddr is an address of code as a stack has it: an instruction pointer, or a return address, which stands
// behind the call that it names and may be the first byte of another function. The pc of the innermost frame and of
// a frame that a signal interrupted are instruction pointers; so is a signal trampoline's, which nobody called.
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
