package vm

import "fmt"

// PageSize is the size in bytes of a base page on x86-64.
const PageSize = 4096

// AddressMax is the first byte above the user half of the address space with five-level page tables: no
// mapping of a process ends above it, [vsyscall] excepted. With four levels it is 1 << 47.
const AddressMax = 1 << 56

// Range is the half-open interval [Start, End) of byte addresses.
type Range struct {
	Start, End uint64
}

// RangeOf returns the pages that [addr, addr+length) touches when the kernel rounds length up to
// whole pages, as mmap(2), munmap(2) and mprotect(2) do. A length that overflows gives an empty range.
func RangeOf(addr, length uint64) Range {
	end := addr + PageUp(length)
	if end < addr || PageUp(length) < length {
		return Range{addr, addr}
	}
	return Range{addr, end}
}

// PageUp rounds n up to a whole page; it wraps to 0 above the last page, as the kernel's PAGE_ALIGN does.
func PageUp(n uint64) uint64 { return (n + PageSize - 1) &^ (PageSize - 1) }

// PageDown rounds n down to a whole page.
func PageDown(n uint64) uint64 { return n &^ (PageSize - 1) }

// Len is the number of bytes in r.
func (r Range) Len() uint64 { return r.End - r.Start }

// Empty reports whether r holds no byte.
func (r Range) Empty() bool { return r.End <= r.Start }

// Contains reports whether addr lies in r.
func (r Range) Contains(addr uint64) bool { return r.Start <= addr && addr < r.End }

// Covers reports whether every byte of o lies in r.
func (r Range) Covers(o Range) bool { return r.Start <= o.Start && o.End <= r.End }

// Overlaps reports whether r and o share a byte.
func (r Range) Overlaps(o Range) bool { return r.Start < o.End && o.Start < r.End }

// Intersect returns the bytes that r and o share; it is empty where they share none.
func (r Range) Intersect(o Range) Range {
	x := Range{max(r.Start, o.Start), min(r.End, o.End)}
	if x.Empty() {
		return Range{}
	}
	return x
}

// String formats r as /proc/PID/maps does: lower-case hexadecimal of at least eight digits.
func (r Range) String() string { return fmt.Sprintf("%08x-%08x", r.Start, r.End) }
