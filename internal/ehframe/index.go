package ehframe

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	maxSection = 256 << 20 // bytes of .debug_frame or .eh_frame held in memory
	maxEntries = 4 << 20
)

// index lists the entries of a section without a search table of its own: .debug_frame always, .eh_frame of
// files linked without a header. The section is held in memory (it is often compressed), with 16 bytes an entry.
type index struct {
	data  []byte
	vaddr uint64
	eh    bool
	list  []indexed
}

type indexed struct {
	begin uint64
	at    uint32 // of the entry in data
	cie   uint32 // of its CIE
}

// load reads a section and indexes it, nil if it is not there or holds nothing of use.
func (t *Table) load(f *elffile.File, section string, vaddr uint64, eh bool) *Table {
	data, err := f.SectionData(section, maxSection)
	if err != nil {
		return nil
	}
	return t.build(data, vaddr, eh)
}

// build indexes a section. Malformed entries are left out; an impossible length ends the reading.
func (t *Table) build(data []byte, vaddr uint64, eh bool) *Table {
	x := &index{data: data, vaddr: vaddr, eh: eh}
	encodings := make(map[uint32]int) // by offset of the CIE
	for at := uint64(0); at+8 <= uint64(len(data)) && len(x.list) < maxEntries; {
		length := uint64(binary.LittleEndian.Uint32(data[at:]))
		if length == 0 {
			at += 4
			continue
		}
		if length < 4 || length > uint64(len(data))-at-4 {
			break
		}
		if cie, ok := x.commonOf(at); ok && length <= maxEntry {
			enc, known := encodings[cie]
			if !known {
				b, _ := x.raw(cie)
				enc = encodingOf(b, eh, t.word)
				encodings[cie] = enc
			}
			c := elffile.CursorOver(data[at+8 : at+4+length])
			if begin, ok := pointer(&c, enc, t.word, vaddr+at+8); ok {
				x.list = append(x.list, indexed{begin, uint32(at), cie})
			}
		}
		at += 4 + length
	}
	if len(x.list) == 0 {
		return nil
	}
	slices.SortStableFunc(x.list, func(a, b indexed) int { return cmp.Compare(a.begin, b.begin) })
	x.list = slices.Clip(x.list)
	t.index = x
	return t
}

// commonOf returns the offset of the CIE that the entry at at refers to; ok is false if the entry is a CIE.
func (x *index) commonOf(at uint64) (uint32, bool) {
	id := uint64(binary.LittleEndian.Uint32(x.data[at+4:]))
	var cie uint64
	if x.eh {
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
	return uint32(cie), cie+8 <= uint64(len(x.data))
}

// raw returns the whole entry at offset at.
func (x *index) raw(at uint32) ([]byte, bool) {
	if uint64(at)+8 > uint64(len(x.data)) {
		return nil, false
	}
	length := uint64(binary.LittleEndian.Uint32(x.data[at:]))
	if length < 4 || length > maxEntry || length > uint64(len(x.data))-uint64(at)-4 {
		return nil, false
	}
	return x.data[at : uint64(at)+4+length], true
}

func (x *index) entry(i int, word int) (Entry, bool) {
	e := x.list[i]
	fde, ok1 := x.raw(e.at)
	cie, ok2 := x.raw(e.cie)
	return Entry{CIE: cie, FDE: fde, Vaddr: x.vaddr + uint64(e.at), EH: x.eh, word: word}, ok1 && ok2
}
