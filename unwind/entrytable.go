package unwind

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	maxFrameSection = 256 << 20 // bytes of .debug_frame or .eh_frame held in memory
	maxEntries      = 4 << 20
)

// entryTable is a section of unwind entries without a search table of its own: .debug_frame always,
// .eh_frame of files linked without a header. The section is held in memory (it is often compressed), with
// an index of 16 bytes an entry.
type entryTable struct {
	data  []byte
	vaddr uint64
	eh    bool
	list  []indexed
}

type indexed struct {
	begin uint64
	at    uint32 // of the entry in data
	cie   uint32 // of its common entry
}

// loadEntries reads a section and indexes it, nil if it is not there or holds nothing of use. Entries that
// are malformed are left out; a length that cannot be right ends the reading.
func loadEntries(f *elffile.File, section string, vaddr uint64, eh bool) *entryTable {
	data, err := f.SectionData(section, maxFrameSection)
	if err != nil {
		return nil
	}
	return indexEntries(data, vaddr, eh)
}

func indexEntries(data []byte, vaddr uint64, eh bool) *entryTable {
	t := &entryTable{data: data, vaddr: vaddr, eh: eh}
	encodings := make(map[uint32]int) // by offset of the common entry
	for at := uint64(0); at+8 <= uint64(len(data)) && len(t.list) < maxEntries; {
		length := uint64(binary.LittleEndian.Uint32(data[at:]))
		if length == 0 {
			at += 4
			continue
		}
		if length < 4 || length > uint64(len(data))-at-4 {
			break
		}
		if cie, ok := t.commonOf(at); ok && length <= maxEntry {
			enc, known := encodings[cie]
			if !known {
				enc = t.encodingOf(cie)
				encodings[cie] = enc
			}
			if begin, ok := pointer(data[at+8:at+4+length], enc, vaddr+at+8); ok {
				t.list = append(t.list, indexed{begin, uint32(at), cie})
			}
		}
		at += 4 + length
	}
	if len(t.list) == 0 {
		return nil
	}
	slices.SortStableFunc(t.list, func(a, b indexed) int { return cmp.Compare(a.begin, b.begin) })
	t.list = slices.Clip(t.list)
	return t
}

// commonOf returns the offset of the common entry that the entry at names; ok is false for a common entry.
func (t *entryTable) commonOf(at uint64) (uint32, bool) {
	id := uint64(binary.LittleEndian.Uint32(t.data[at+4:]))
	var cie uint64
	if t.eh {
		if id == 0 {
			return 0, false
		}
		cie = at + 4 - id
	} else {
		if id == 0xffffffff {
			return 0, false
		}
		cie = id
	}
	return uint32(cie), cie+8 <= uint64(len(t.data))
}

// raw returns the whole entry at.
func (t *entryTable) raw(at uint32) ([]byte, bool) {
	if uint64(at)+8 > uint64(len(t.data)) {
		return nil, false
	}
	length := uint64(binary.LittleEndian.Uint32(t.data[at:]))
	if length < 4 || length > maxEntry || length > uint64(len(t.data))-uint64(at)-4 {
		return nil, false
	}
	return t.data[at : uint64(at)+4+length], true
}

// encodingOf reads the pointer encoding from a common entry, -1 if it cannot be read.
func (t *entryTable) encodingOf(at uint32) int {
	b, ok := t.raw(at)
	if !ok {
		return -1
	}
	if !t.eh {
		return encAbsptr
	}
	c := cursor{b: b[8:]}
	version, aug := c.u8(), c.cstring()
	if aug == "" {
		return encAbsptr
	}
	if aug[0] != 'z' {
		return -1
	}
	c.uleb()
	c.sleb()
	if version == 1 {
		c.u8()
	} else {
		c.uleb()
	}
	c.uleb()
	for _, a := range aug[1:] {
		switch a {
		case 'R':
			if enc := int(c.u8()); !c.bad {
				return enc
			}
			return -1
		case 'L':
			c.u8()
		case 'P':
			switch c.u8() & 0x0f {
			case encAbsptr, encUdata8, encSdata8:
				c.u64()
			case encUdata4, encSdata4:
				c.u32()
			case encUdata2, encSdata2:
				c.u16()
			case encUleb, encSleb:
				c.uleb()
			default:
				return -1
			}
		case 'S', 'B':
		default:
			return -1
		}
	}
	return encAbsptr
}

// pointer decodes the first pointer of b, which is mapped at vaddr.
func pointer(b []byte, enc int, vaddr uint64) (uint64, bool) {
	if enc < 0 || enc&encIndirect != 0 {
		return 0, false
	}
	c := cursor{b: b}
	var v uint64
	switch enc & 0x0f {
	case encAbsptr, encUdata8, encSdata8:
		v = c.u64()
	case encUdata4:
		v = uint64(c.u32())
	case encSdata4:
		v = uint64(int64(int32(c.u32())))
	case encUdata2:
		v = uint64(c.u16())
	case encSdata2:
		v = uint64(int64(int16(c.u16())))
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
	return v, !c.bad
}

// find returns the last entry that begins at or below pc.
func (t *entryTable) find(pc uint64) (fde, bool) {
	i := sort.Search(len(t.list), func(i int) bool { return t.list[i].begin > pc })
	if i == 0 {
		return fde{}, false
	}
	x := t.list[i-1]
	entry, ok1 := t.raw(x.at)
	cie, ok2 := t.raw(x.cie)
	if !ok1 || !ok2 {
		return fde{}, false
	}
	return fde{cie: cie, entry: entry, vaddr: t.vaddr + uint64(x.at), eh: t.eh}, true
}

// findDebugFrame looks into the file's own .debug_frame.
func (m *Module) findDebugFrame(pc uint64) (fde, bool) {
	if !m.opened.own {
		m.opened.own = true
		m.debug = loadEntries(m.file, ".debug_frame", 0, false)
	}
	if m.debug == nil {
		return fde{}, false
	}
	return m.debug.find(pc)
}

// findSeparate looks into .debug_frame of the separate debug file.
func (m *Module) findSeparate(pc uint64) (fde, bool) {
	if !m.opened.separate {
		m.opened.separate = true
		if d, err := m.file.DebugFile(nil); err == nil {
			m.separate = loadEntries(d, ".debug_frame", 0, false)
		}
	}
	if m.separate == nil {
		return fde{}, false
	}
	return m.separate.find(pc)
}
