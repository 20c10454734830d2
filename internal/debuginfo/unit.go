package debuginfo

import (
	"debug/dwarf"
	"sort"

	"github.com/vmblame/vmblame/internal/elffile"
)

// A unitHeader is the header of a unit of .debug_info (DWARF 5, 7.5.1).
type unitHeader struct {
	off, dieOff, end int64 // of the unit, its first DIE, and the end
	version          int
	dwarf64          bool
	addrSize         int
	abbrevOff        uint64
	kind             uint8 // DW_UT_*
	dwoID            uint64
}

// DW_UT_*.
const (
	utCompile      = 1
	utType         = 2
	utPartial      = 3
	utSkeleton     = 4
	utSplitCompile = 5
	utSplitType    = 6
)

// initialLength reads a unit's initial length (DWARF 5, 7.4), and returns the position where the unit ends.
func initialLength(c *elffile.Cursor) (end int64, dwarf64 bool) {
	n := uint64(c.U32())
	if n == 0xffffffff {
		dwarf64 = true
		n = c.U64()
	} else if n >= 0xfffffff0 {
		c.Fail()
	}
	if c.Bad() || n > uint64(c.Len()) {
		c.Fail()
		return c.End(), dwarf64
	}
	return c.Pos() + int64(n), dwarf64
}

// offset reads an offset of the 32-bit or the 64-bit format.
func offset(c *elffile.Cursor, dwarf64 bool) uint64 {
	if dwarf64 {
		return c.U64()
	}
	return uint64(c.U32())
}

// readUnitHeader reads the header at c and leaves c at the first DIE; c is bad where there is none.
func readUnitHeader(c *elffile.Cursor) unitHeader {
	h := unitHeader{off: c.Pos(), kind: utCompile}
	h.end, h.dwarf64 = initialLength(c)
	h.version = int(c.U16())
	if h.version >= 5 {
		h.kind = c.U8()
		h.addrSize = int(c.U8())
		h.abbrevOff = offset(c, h.dwarf64)
		switch h.kind {
		case utSkeleton, utSplitCompile:
			h.dwoID = c.U64()
		case utType, utSplitType:
			c.Skip(8)
			offset(c, h.dwarf64)
		}
	} else {
		h.abbrevOff = offset(c, h.dwarf64)
		h.addrSize = int(c.U8())
	}
	h.dieOff = c.Pos()
	if h.version < 2 || h.version > 5 || (h.addrSize != 8 && h.addrSize != 4) || h.dieOff > h.end {
		c.Fail()
	}
	return h
}

// A unit is one compilation unit (or a partial, skeleton or split one).
type unit struct {
	unitHeader
	file   *file
	abbrev *abbrevs

	low         uint64 // base of range lists
	strBase     uint64 // in .debug_str_offsets
	addrBase    uint64 // in addrSection
	addrSection *elffile.Section
	rangesBase  uint64 // in .debug_rnglists; before DWARF 5 in .debug_ranges, for a split unit only
	language    uint64
	root        die
	skeleton    *unit // of a split unit: has the line table
	split       *unit // of a skeleton: has the functions
	splitTried  bool

	funcs   spans // functions by range; ref is the DIE's position
	indexed bool
	lines   *lineTable
	lineErr bool
}

// A die is a debugging information entry, with the attributes that we use.
type die struct {
	off    int64
	shape  *abbrev
	has    uint32 // bit a is set where values[a] is
	values [attrs]value
}

func (d *die) tag() dwarf.Tag           { return d.shape.tag }
func (d *die) get(a attr) (value, bool) { return d.values[a], d.has&(1<<a) != 0 }

// readDIE reads the entry at c into d and reports whether there was one: not at the null entry that ends a list of
// siblings, at the end of the unit, or where the data is malformed.
func (u *unit) readDIE(c *elffile.Cursor, d *die) bool {
	d.off, d.has, d.shape = c.Pos(), 0, nil
	code := c.Uleb()
	if c.Bad() || code == 0 {
		return false
	}
	d.shape = u.abbrev.get(code)
	if d.shape == nil || !u.file.budget.spend(1+len(d.shape.fields)/8) {
		d.shape = nil
		c.Fail()
		return false
	}
	for i := range d.shape.fields {
		f := &d.shape.fields[i]
		v := readValue(c, &u.unitHeader, f.form, f.implicit)
		if f.attr != atNone {
			d.values[f.attr] = v
			d.has |= 1 << f.attr
		}
	}
	if c.Bad() {
		d.shape = nil
	}
	return !c.Bad()
}

// unitAt returns the unit whose header stands at off, nil where it is malformed.
func (f *file) unitAt(off int64) *unit {
	if u, ok := f.units[off]; ok {
		return u
	}
	info := f.section("info")
	if info == nil {
		return nil
	}
	c := info.Cursor(off, info.Size())
	defer c.Done()
	h := readUnitHeader(c)
	if c.Bad() {
		f.units[off] = nil
		return nil
	}
	u := &unit{unitHeader: h, file: f, addrSection: f.section("addr")}
	if !u.readRoot(0) {
		u = nil
	}
	f.units[off] = u
	return u
}

// readRoot reads the abbreviations and the first DIE, and reports whether both could be read.
func (u *unit) readRoot(abbrevBase uint64) bool {
	u.abbrev = u.file.abbrevTable(u.abbrevOff + abbrevBase)
	if u.abbrev == nil {
		return false
	}
	c := u.file.section("info").Cursor(u.dieOff, u.end)
	defer c.Done()
	if !u.readDIE(c, &u.root) {
		return false
	}
	header := uint64(8) // of a contribution to .debug_str_offsets and .debug_addr
	if u.dwarf64 {
		header = 16
	}
	if u.version >= 5 {
		u.strBase, u.addrBase = header, header
		u.rangesBase = header + 4
	}
	if v, ok := u.root.get(atStrBase); ok {
		u.strBase = v.u
	}
	if v, ok := u.root.get(atAddrBase); ok {
		u.addrBase = v.u
	}
	if v, ok := u.root.get(atRnglistsBase); ok && u.version >= 5 {
		u.rangesBase = v.u
	}
	if v, ok := u.root.get(atLow); ok {
		u.low, _ = u.addr(v)
	}
	if v, ok := u.root.get(atLanguage); ok {
		u.language = v.u
	}
	if v, ok := u.root.get(atDwoID); ok {
		u.dwoID = v.u
	}
	return true
}

// mangles reports whether the unit's language mangles linkage names: the DW_LANG_* codes of C++ and Rust.
func (u *unit) mangles() bool {
	switch u.language {
	case 0x04, 0x1a, 0x21, 0x2a, 0x2b, 0x3a, 0x1c: // C++98, 11, 14, 17, 20, 23; Rust
		return true
	}
	return false
}

const maxUnits = 1 << 18 // of one file

// headers lists the units of .debug_info, reading headers alone.
func (f *file) headers() []unitHeader {
	if f.headersRead {
		return f.unitHeaders
	}
	f.headersRead = true
	info := f.section("info")
	if info == nil {
		return nil
	}
	c := info.Cursor(0, info.Size())
	defer c.Done()
	for c.More() && f.budget.spend(1) && len(f.unitHeaders) < maxUnits {
		h := readUnitHeader(c)
		if c.Bad() {
			break
		}
		f.unitHeaders = append(f.unitHeaders, h)
		c.MoveTo(h.end)
	}
	return f.unitHeaders
}

// unitHolding returns the unit that the DIE at off belongs to.
func (f *file) unitHolding(off int64) *unit {
	hs := f.headers()
	i := sort.Search(len(hs), func(i int) bool { return hs[i].end > off })
	if i == len(hs) || off < hs[i].dieOff {
		return nil
	}
	return f.unitAt(hs[i].off)
}
