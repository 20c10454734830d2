// Package ehframe finds the unwind table entries of an ELF file that cover an address: in .eh_frame, by way of
// the search table of .eh_frame_hdr where there is one (LSB Core, "Exception Frames"), and in .debug_frame
// (DWARF 5, 6.4). It is the one reader of them, for unwinding and for the ends of functions.
//
// It does not interpret call frame instructions. Bytes are not trusted: a malformed table has fewer entries.
package ehframe
