package unwind

import "fmt"

// How says how a frame's pc was found. The words are part of the log format (`via`).
type How uint8

const (
	PC         How = iota // the first frame: the instruction pointer itself
	CFI                   // .eh_frame
	DebugFrame            // .debug_frame, of the file or of its separate debug file
	GoPclntab             // .gopclntab: stack sizes of Go functions
	FP                    // a checked frame pointer
	Leaf                  // the word at rsp after the syscall instruction of a function without a frame
	Epilogue              // the instructions from pc to the function's ret, where there is no table
	Scan                  // a return address into the program's entry code, found above a frame that never returns
	Sigframe              // a signal frame known by its trampoline's instructions, where no table says so
	GoSwitch              // the caller of a Go function that had changed stacks, such as systemstack
)

var howNames = [...]string{"pc", "cfi", "debug_frame", "gopclntab", "fp", "leaf", "epilogue", "scan", "sigframe", "goswitch"}

// String returns the word of the log format.
func (h How) String() string {
	if int(h) < len(howNames) {
		return howNames[h]
	}
	return fmt.Sprintf("how-%d", h)
}

// End says why a walk ended. The words are part of the log format (`end`).
type End uint8

const (
	// UndefinedRA: the tables say that this frame has no caller. Complete.
	UndefinedRA End = iota
	// ELFEntry: the frame is the entry point of the program or of its interpreter. Complete.
	ELFEntry
	// GoExit: the frame is the root of a goroutine or of a thread of the Go runtime. Complete.
	GoExit
	// NoCFI: no table covers the pc, and rbp is not a frame pointer.
	NoCFI
	// BadFP: the chain of frame pointers followed so far breaks here.
	BadFP
	// UnreadableStack: a word of the stack that the rules need could not be read.
	UnreadableStack
	// CFANotAdvancing: the caller's frame would not lie above this one.
	CFANotAdvancing
	// PCNotExec: the return address found is in no executable mapping; it is not part of the stack.
	PCNotExec
	// ExprFailed: a DWARF expression could not be evaluated.
	ExprFailed
	// BadFDE: the unwind table entry of this pc is malformed or not supported.
	BadFDE
	// StackSwitch: a Go runtime function switched stacks here, and the previous stack is unknown.
	StackSwitch
	// MaxDepth: the stack is deeper than the requested maximum.
	MaxDepth
)

var endNames = [...]string{"undefined-ra", "elf-entry", "goexit", "no-cfi", "bad-fp", "unreadable-stack",
	"cfa-not-advancing", "pc-not-executable", "expression-failed", "bad-fde", "stack-switch", "max-depth"}

// Complete reports whether the walk reached the outermost frame.
func (e End) Complete() bool { return e <= GoExit }

// String returns the word of the log format.
func (e End) String() string {
	if int(e) < len(endNames) {
		return endNames[e]
	}
	return fmt.Sprintf("end-%d", e)
}
