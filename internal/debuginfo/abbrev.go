package debuginfo

import (
	"debug/dwarf"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	maxFields  = 256     // attributes of one abbreviation
	maxAbbrevs = 1 << 16 // of one table
	maxWeight  = 1 << 18 // of one table, in units of a span's memory

	usualAbbrevs = 96  // in a typical gcc table
	poolFields   = 256 // kept in one slice
)

// attr renumbers the attributes that we read, so that a DIE is a small array.
type attr int8

const (
	atNone attr = iota - 1
	atName
	atLinkage
	atLow
	atHigh
	atRanges
	atEntry
	atOrigin // DW_AT_abstract_origin
	atSpec   // DW_AT_specification
	atSibling
	atCallFile
	atCallLine
	atStmtList
	atCompDir
	atLanguage
	atAddrBase
	atStrBase
	atRnglistsBase
	atDwoName
	atDwoID
	attrs
)

const (
	attrMIPSLinkage   dwarf.Attr = 0x2007
	attrGNUDwoName    dwarf.Attr = 0x2130
	attrGNUDwoID      dwarf.Attr = 0x2131
	attrGNURangesBase dwarf.Attr = 0x2132
	attrGNUAddrBase   dwarf.Attr = 0x2133
)

func attrOf(a dwarf.Attr) attr {
	switch a {
	case dwarf.AttrName:
		return atName
	case dwarf.AttrLinkageName, attrMIPSLinkage:
		return atLinkage
	case dwarf.AttrLowpc:
		return atLow
	case dwarf.AttrHighpc:
		return atHigh
	case dwarf.AttrRanges:
		return atRanges
	case dwarf.AttrEntrypc:
		return atEntry
	case dwarf.AttrAbstractOrigin:
		return atOrigin
	case dwarf.AttrSpecification:
		return atSpec
	case dwarf.AttrSibling:
		return atSibling
	case dwarf.AttrCallFile:
		return atCallFile
	case dwarf.AttrCallLine:
		return atCallLine
	case dwarf.AttrStmtList:
		return atStmtList
	case dwarf.AttrCompDir:
		return atCompDir
	case dwarf.AttrLanguage:
		return atLanguage
	case dwarf.AttrAddrBase, attrGNUAddrBase:
		return atAddrBase
	case dwarf.AttrStrOffsetsBase:
		return atStrBase
	case dwarf.AttrRnglistsBase, attrGNURangesBase:
		return atRnglistsBase
	case dwarf.AttrDwoName, attrGNUDwoName:
		return atDwoName
	case attrGNUDwoID:
		return atDwoID
	}
	return atNone
}

// A field is one attribute of an abbreviation.
type field struct {
	attr     attr
	form     form
	implicit int64 // the value of DW_FORM_implicit_const
}

// An abbrev is the shape of a DIE.
type abbrev struct {
	tag      dwarf.Tag
	children bool
	fields   []field
}

// abbrevs maps codes, which compilers give out from 1 on, to shapes.
type abbrevs struct {
	weight int      // roughly the spans of memory
	dense  []abbrev // code 1 is the first
	sparse map[uint64]abbrev
}

func (a *abbrevs) get(code uint64) *abbrev {
	if code-1 < uint64(len(a.dense)) {
		return &a.dense[code-1]
	}
	if s, ok := a.sparse[code]; ok {
		return &s
	}
	return nil
}

// readAbbrevs reads the table at off of .debug_abbrev; nil where it is malformed.
func readAbbrevs(s *elffile.Section, off uint64, budget *budget) *abbrevs {
	if s == nil || off >= uint64(s.Size()) {
		return nil
	}
	c := s.Cursor(int64(off), s.Size())
	defer c.Done()
	a := &abbrevs{dense: make([]abbrev, 0, usualAbbrevs)}
	var fields []field // of one abbreviation
	var pool []field   // their storage: one slice for many, since there are thousands
	for n := 0; n < maxAbbrevs; n++ {
		code := c.Uleb()
		if c.Bad() {
			return nil
		}
		if code == 0 {
			return a
		}
		b := abbrev{tag: dwarf.Tag(c.Uleb()), children: c.U8() != 0}
		fields = fields[:0]
		for {
			at, fm := c.Uleb(), c.Uleb()
			if c.Bad() || !budget.spend(1) {
				return nil
			}
			f := field{attr: attrOf(dwarf.Attr(min(at, 0xffff))), form: form(min(fm, 0xffff))}
			if f.form == formImplicitConst {
				f.implicit = c.Sleb()
			}
			if at == 0 && fm == 0 {
				break
			}
			if len(fields) == maxFields || a.weight > maxWeight {
				return nil
			}
			fields = append(fields, f)
		}
		if cap(pool)-len(pool) < len(fields) {
			pool = make([]field, 0, max(poolFields, len(fields)))
		}
		pool = append(pool, fields...)
		b.fields = pool[len(pool)-len(fields) : len(pool) : len(pool)]
		a.weight += 2 + len(fields)/2
		if code == uint64(len(a.dense))+1 {
			a.dense = append(a.dense, b)
			continue
		}
		if a.sparse == nil {
			a.sparse = make(map[uint64]abbrev)
		}
		a.sparse[code] = b
	}
	return nil
}
