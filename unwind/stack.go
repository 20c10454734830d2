package unwind

// Frame is one physical frame of a stack; inlined functions are not frames.
type Frame struct {
	PC     uint64  // the instruction pointer, or the return address itself, not one less
	Module *Module // whose code that is; nil only for a first frame that is in no executable mapping
	Offset uint64  // PC as the module's file numbers it; PC itself for a module without a file
	How    How     // how PC was found
	// Call is true where PC is a return address, so that the call stands before it: look names up at
	// Offset-1. It is false on the first frame, on a signal trampoline (nobody called it) and on the frame
	// that a signal interrupted.
	Call bool
}

// Stack is the result of one walk, innermost frame first.
type Stack struct {
	Frames []Frame
	End    End
}
