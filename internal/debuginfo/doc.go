// Package debuginfo reads DWARF, versions 2 to 5 (and what GCC had before they were standard): the function at an
// address, the chain of calls inlined there, file and line. It reads only the units of the addresses asked for, and
// sections piecemeal, so that a debug file of any size costs little memory. It follows references into split files
// (.dwo, .dwp) and into the supplementary file of dwz.
//
// Names are as the file has them: it demangles nothing, and knows no symbol table. Bytes are not trusted: a malformed
// file yields less, never a panic, and work and memory are bounded. docs/architecture.md says why debug/dwarf does
// not serve.
package debuginfo
