package elffile

import (
	"debug/elf"
	"fmt"
	"io"
)

const pageMask = 4096 - 1

// VaddrOf translates an offset into the file to the virtual address that the file itself gives the byte (before any
// load bias). The kernel and ld.so map whole pages, so bytes that share a segment's first or last page count as part
// of it; an executable segment is preferred to others, and a segment that contains the byte to one that only shares
// its page. ok is false where no PT_LOAD covers off.
func (f *File) VaddrOf(off uint64) (vaddr uint64, ok bool) {
	for _, exec := range []bool{true, false} {
		for _, whole := range []bool{false, true} {
			for i := range f.progs {
				p := &f.progs[i]
				if p.Type != elf.PT_LOAD || (p.Flags&elf.PF_X != 0) != exec || p.Filesz == 0 {
					continue
				}
				start, end := p.Off, p.Off+p.Filesz
				if whole {
					start, end = start&^pageMask, (end+pageMask)&^uint64(pageMask)
				}
				if off >= start && off < end {
					return p.Vaddr + (off - p.Off), true // modulo 2^64, as off may lie below p.Off
				}
			}
		}
	}
	return 0, false
}

// ReadVaddr reads the file's bytes at one of its own virtual addresses: the contents of its PT_LOAD
// segments, zeros past their file part (.bss), before any relocation. It returns how many bytes it could
// read and an error where that is fewer than len(p); a read does not continue from one segment into another.
func (f *File) ReadVaddr(p []byte, vaddr uint64) (int, error) {
	for i := range f.progs {
		g := &f.progs[i]
		if g.Type != elf.PT_LOAD || vaddr < g.Vaddr || vaddr-g.Vaddr >= g.Memsz {
			continue
		}
		at := vaddr - g.Vaddr
		want := p
		if left := g.Memsz - at; uint64(len(want)) > left {
			want = want[:left]
		}
		n := 0
		if at < g.Filesz {
			part := want
			if left := g.Filesz - at; uint64(len(part)) > left {
				part = part[:left]
			}
			off := g.Off + at
			if off < g.Off || off > uint64(f.size) {
				break
			}
			if left := uint64(f.size) - off; uint64(len(part)) > left {
				part = part[:left]
			}
			var err error
			if n, err = readFull(f.r, part, int64(off)); err != nil {
				return n, err
			}
			if uint64(n) < g.Filesz-at && n < len(want) {
				return n, io.ErrUnexpectedEOF // the file is shorter than its segment
			}
		}
		clear(want[n:])
		if len(want) < len(p) {
			return len(want), io.ErrUnexpectedEOF
		}
		return len(p), nil
	}
	return 0, fmt.Errorf("%s: address %#x is in no segment: %w", f.name, vaddr, io.EOF)
}
