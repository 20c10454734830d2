// Package elffile holds one opened ELF file (x86-64, x32 or i386), shared by the unwinder and the
// symbolizer: its identity (build id), its segments and the translation between file offsets and its
// own virtual addresses, its sections, and the separate debug file that belongs to it.
//
// It follows the System V gABI and the "Linux Standard Base" note format. Input is not trusted: every count and size
// is bounded before memory is allocated, and malformed files give errors, never a panic. It knows no process, no load
// bias, no symbols, no DWARF, and never uses the network.
package elffile
