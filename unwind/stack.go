package unwind

// Frame is one physical frame of a stack; inlined functions are not frames.
type Frame struct {
	PC     uint64  // the instruction pointer, or the return address itself, not one less
	Module *Module // the module of that code; nil only for a first frame in no executable mapping
	Offset uint64  // PC as the module's file numbers it; PC itself for a module without a file
	How    How     // how PC was found
	// Call reports whether PC is a return address: look up names at Offset-1, inside the call. It is false on the
	// first frame, on a signal trampoline (nothing called it) and on the frame that a signal interrupted.
	Call bool
	// Omitted is how many frames between the one before and this one the stack does not have.
	Omitted int
}

// Stack is the result of one walk, innermost frame first.
type Stack struct {
	Frames []Frame
	End    End
}
