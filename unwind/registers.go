package unwind

// Regs are the sixteen general registers and the instruction pointer in the order of the DWARF register
// numbers (System V ABI x86-64, figure 3.36), which is not the order of the instruction set.
type Regs [17]uint64

// Indices into Regs. RegRIP is what DWARF calls the return address column.
const (
	RegRAX = iota
	RegRDX
	RegRCX
	RegRBX
	RegRSI
	RegRDI
	RegRBP
	RegRSP
	RegR8
	RegR9
	RegR10
	RegR11
	RegR12
	RegR13
	RegR14
	RegR15
	RegRIP
)

// RawMemory reads the memory of the thread that is being unwound. It returns how many bytes it could read
// from addr on: fewer than len(p) where the rest is not readable. p may be kept no longer than the call.
type RawMemory interface {
	ReadMemory(addr uint64, p []byte) int
}
