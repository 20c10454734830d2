package ehframe

import "github.com/vmblame/vmblame/internal/elffile"

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
)

// Entry is an FDE with the CIE it refers to, both whole (length field first). The bytes must not be changed.
type Entry struct {
	CIE, FDE []byte
	Vaddr    uint64 // where FDE is mapped, for pc-relative pointers; .eh_frame only
	EH       bool   // of .eh_frame, else of .debug_frame
	word     int
}

// Range returns the addresses [start, end) that the entry covers; ok is false if its encoding is not supported.
func (e *Entry) Range() (start, end uint64, ok bool) {
	enc := encodingOf(e.CIE, e.EH, e.word)
	c := elffile.CursorOver(e.FDE[8:])
	start, ok = pointer(&c, enc, e.word, e.Vaddr+8)
	if !ok {
		return 0, 0, false
	}
	size, ok := pointer(&c, enc&0x0f, e.word, 0)
	switch { // the size is unsigned
	case enc&0x0f == encSdata4:
		size = uint64(uint32(size))
	case enc&0x0f == encSdata2:
		size = uint64(uint16(size))
	}
	return start, start + size, ok && start+size >= start
}

// encodingOf reads a CIE's pointer encoding for its FDEs, -1 if it cannot be read.
func encodingOf(cie []byte, eh bool, word int) int {
	if len(cie) < 8 {
		return -1
	}
	if !eh {
		return encAbsptr
	}
	c := elffile.CursorOver(cie[8:])
	version, aug := c.U8(), c.String()
	if c.Bad() {
		return -1
	}
	if aug == "" {
		return encAbsptr
	}
	if aug[0] != 'z' {
		return -1
	}
	c.Uleb() // code alignment
	c.Sleb() // data alignment
	if version == 1 {
		c.U8() // the column of the return address
	} else {
		c.Uleb()
	}
	c.Uleb() // the length of what follows
	for _, a := range aug[1:] {
		switch a {
		case 'R':
			if enc := int(c.U8()); !c.Bad() {
				return enc
			}
			return -1
		case 'L':
			c.U8()
		case 'P':
			if enc := int(c.U8()); !skipPointer(&c, enc, word) {
				return -1
			}
		case 'S', 'B':
		default:
			return -1
		}
	}
	return encAbsptr
}

// skipPointer moves c past a pointer with encoding enc, and reports whether that encoding is known.
func skipPointer(c *elffile.Cursor, enc, word int) bool {
	switch enc & 0x0f {
	case encUleb, encSleb:
		c.Uleb()
		return true
	default:
		_, ok := pointer(c, enc&0x0f, word, 0)
		return ok
	}
}

// pointer reads a pointer that is mapped at vaddr.
func pointer(c *elffile.Cursor, enc, word int, vaddr uint64) (uint64, bool) {
	if enc < 0 || enc&encIndirect != 0 {
		return 0, false
	}
	var v uint64
	switch enc & 0x0f {
	case encAbsptr:
		v = c.Uint(word)
	case encUdata8, encSdata8:
		v = c.U64()
	case encUdata4:
		v = uint64(c.U32())
	case encSdata4:
		v = uint64(int64(int32(c.U32())))
	case encUdata2:
		v = uint64(c.U16())
	case encSdata2:
		v = uint64(int64(int16(c.U16())))
	default:
		return 0, false
	}
	switch enc & 0x70 {
	case 0:
	case encPCRel:
		v += vaddr
	default:
		return 0, false
	}
	return v, !c.Bad()
}
