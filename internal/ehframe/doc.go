// Package ehframe finds the unwind table entries of an ELF file that cover an address: in .eh_frame, by way of the
// search table of .eh_frame_hdr where there is one (LSB Core, "Exception Frames"), and in .debug_frame (DWARF 5,
// 6.4). Unwinding uses the entries, and naming uses them to find the ends of functions.
//
// It does not interpret call frame instructions. Input is not trusted: a malformed table yields fewer entries.
package ehframe
