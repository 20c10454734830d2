package unwind

import (
	"debug/elf"
	"encoding/binary"
)

// maxEntry bounds one entry of an unwind table; the largest seen in the field are a few kilobytes.
const maxEntry = 64 << 10

// Pointer encodings of .eh_frame and .eh_frame_hdr (LSB "DWARF Extensions").
const (
	encAbsptr   = 0x00
	encUleb     = 0x01
	encUdata2   = 0x02
	encUdata4   = 0x03
	encUdata8   = 0x04
	encSleb     = 0x09
	encSdata2   = 0x0a
	encSdata4   = 0x0b
	encSdata8   = 0x0c
	encPCRel    = 0x10
	encDataRel  = 0x30
	encIndirect = 0x80
	encOmit     = 0xff
)

// hdrTable is the binary search table of .eh_frame_hdr, left in the file.
type hdrTable struct {
	vaddr uint64 // of the header, which the table's words are relative to
	table uint64 // vaddr of the first pair
	count uint64
}

// findEH finds the entry of .eh_frame that should cover pc.
func (m *Module) findEH(pc uint64) (fde, bool) {
	if !m.opened.hdr {
		m.opened.hdr = true
		m.openEH()
	}
	if h := m.hdr; h != nil {
		at, ok := m.searchHdr(h, pc)
		if !ok {
			return fde{}, false
		}
		return m.entryAt(at)
	}
	if m.eh != nil {
		return m.eh.find(pc)
	}
	return fde{}, false
}

func (m *Module) openEH() {
	for _, p := range m.file.Progs() {
		if p.Type != elf.PT_GNU_EH_FRAME {
			continue
		}
		b := m.bytes(p.Vaddr, 12)
		// Version 1, a table of pairs of signed words relative to the header: what every linker writes.
		if b == nil || b[0] != 1 || b[3] != encDataRel|encSdata4 {
			break
		}
		at := uint64(4)
		switch b[1] & 0x0f { // the pointer to .eh_frame, which is not needed
		case encUdata4, encSdata4:
			at += 4
		case encAbsptr, encUdata8, encSdata8:
			at += 8
		default:
			at = 0
		}
		if at == 0 || b[2] != encUdata4 {
			break
		}
		n := m.bytes(p.Vaddr+at, 4)
		if n == nil {
			break
		}
		count := uint64(binary.LittleEndian.Uint32(n))
		if room := (p.Memsz - min(p.Memsz, at+4)) / 8; count > room {
			count = room
		}
		if count > 0 {
			m.hdr = &hdrTable{p.Vaddr, p.Vaddr + at + 4, count}
			return
		}
	}
	if s, ok := m.file.Section(".eh_frame"); ok {
		m.eh = loadEntries(m.file, ".eh_frame", s.Addr, true)
	}
}

// searchHdr returns the address of the last entry that begins at or below pc.
func (m *Module) searchHdr(h *hdrTable, pc uint64) (uint64, bool) {
	word := func(i, half uint64) (uint64, bool) {
		b := m.bytes(h.table+8*i+4*half, 4)
		if b == nil {
			return 0, false
		}
		return h.vaddr + uint64(int64(int32(binary.LittleEndian.Uint32(b)))), true
	}
	lo, hi := uint64(0), h.count
	for lo < hi {
		mid := lo + (hi-lo)/2
		v, ok := word(mid, 0)
		if !ok {
			return 0, false
		}
		if v <= pc {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 {
		return 0, false
	}
	return word(lo-1, 1)
}

// entryAt reads the entry at vaddr and the common entry it names. 64-bit entries, which nobody writes, are
// not supported.
func (m *Module) entryAt(vaddr uint64) (fde, bool) {
	entry, ok := m.rawEntry(vaddr)
	if !ok {
		return fde{}, false
	}
	back := uint64(binary.LittleEndian.Uint32(entry[4:]))
	if back == 0 { // a common entry
		return fde{}, false
	}
	cie, ok := m.rawEntry(vaddr + 4 - back)
	if !ok || binary.LittleEndian.Uint32(cie[4:]) != 0 {
		return fde{}, false
	}
	return fde{cie: cie, entry: entry, vaddr: vaddr, eh: true}, true
}

func (m *Module) rawEntry(vaddr uint64) ([]byte, bool) {
	b := m.bytes(vaddr, 4)
	if b == nil {
		return nil, false
	}
	length := uint64(binary.LittleEndian.Uint32(b))
	if length < 4 || length > maxEntry {
		return nil, false
	}
	b = m.bytes(vaddr, 4+length)
	return b, b != nil
}
