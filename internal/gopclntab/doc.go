// Package gopclntab reads .gopclntab, the table of functions that the Go runtime unwinds by and prints its stack
// traces from: it is in every Go program, stripped or not. One reader serves unwinding (the depth of a frame at a
// pc) and naming (functions, inlined calls, files and lines).
//
// The layouts are those of Go 1.16 to 1.26: runtime/symtab.go (pcHeader, moduledata), runtime/runtime2.go (_func),
// runtime/symtabinl.go and internal/abi/symtab.go. The table is read from the file piece by piece. Input is not
// trusted: a malformed table yields less, and never causes a panic.
package gopclntab
