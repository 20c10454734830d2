package debuginfo

import "github.com/vmblame/vmblame/internal/elffile"

// A contribution says where one unit's parts of the sections of a .dwp file begin.
type contribution struct {
	info, abbrev, strOffsets, rnglists uint64
}

// DW_SECT_*: what the columns of .debug_cu_index stand for.
const (
	sectInfo       = 1
	sectAbbrev     = 3
	sectStrOffsets = 6
	sectRnglists   = 8 // in version 5; something else in version 2
)

const maxColumns = 16

// contributionOf looks a unit up by its id.
func (f *file) contributionOf(id uint64) (k contribution, ok bool) {
	s, err := f.elf.OpenSection(".debug_cu_index")
	if err != nil {
		return k, false
	}
	defer s.Close()
	return findContribution(s, id, f.budget)
}

// findContribution looks a unit up in s, a .debug_cu_index, which is a hash table (DWARF 5, 7.3.5.3; version
// 2 is GCC's, for DWARF 4).
func findContribution(s *elffile.Section, id uint64, budget *budget) (k contribution, ok bool) {
	c := s.Cursor(0, s.Size())
	defer c.Done()
	version := c.U16() // in version 2 a word of 4 bytes, with the same value
	c.U16()
	columns, units, slots := uint64(c.U32()), uint64(c.U32()), uint64(c.U32())
	if c.Bad() || (version != 2 && version != 5) || columns > maxColumns || slots == 0 || slots&(slots-1) != 0 ||
		slots > uint64(s.Size()) || units > slots {
		return k, false
	}
	const header = 16
	word := func(off uint64) uint64 {
		c := s.Cursor(int64(off), min(int64(off)+8, s.Size()))
		defer c.Done()
		return c.U64()
	}
	half := func(off uint64) uint64 {
		c := s.Cursor(int64(off), min(int64(off)+4, s.Size()))
		defer c.Done()
		return uint64(c.U32())
	}
	slot, step := id&(slots-1), id>>32&(slots-1)|1
	row := uint64(0)
	for n := uint64(0); n < slots && budget.spend(1); n++ {
		sig := word(header + 8*slot)
		row = half(header + 8*slots + 4*slot)
		if row == 0 || sig == id {
			break
		}
		slot = (slot + step) & (slots - 1)
		row = 0
	}
	if row == 0 || row > units {
		return k, false
	}
	table := header + 12*slots
	for i := range columns {
		off := half(table + 4*(row*columns+i))
		switch half(table + 4*i) {
		case sectInfo:
			k.info = off
		case sectAbbrev:
			k.abbrev = off
		case sectStrOffsets:
			k.strOffsets = off
		case sectRnglists:
			if version == 5 {
				k.rnglists = off
			}
		}
	}
	return k, true
}
