package debuginfo

import (
	"path"
	"sort"

	"github.com/vmblame/vmblame/internal/elffile"
)

const maxLineEntries = 1 << 17 // directories or files of one table

// A lineTable is the header of a unit's line number program (DWARF 5, 6.2.4).
type lineTable struct {
	unit       *unit
	section    *elffile.Section
	version    int
	begin, end int64 // of the program
	minInst    uint64
	lineBase   int64
	lineRange  uint64
	opcodeBase uint8
	lengths    []uint8
	dirs       []value
	files      []lineFile
	names      map[uint64]string
}

type lineFile struct {
	name value
	dir  uint64
}

// lineTable returns the unit's line table, nil if it has none. A split unit's is its skeleton's.
func (u *unit) lineTable() *lineTable {
	if u.skeleton != nil {
		return u.skeleton.lineTable()
	}
	if u.lines != nil || u.lineErr {
		return u.lines
	}
	u.lineErr = true
	v, ok := u.root.get(atStmtList)
	s := u.file.section("line")
	if !ok || s == nil || v.u >= uint64(s.Size()) {
		return nil
	}
	t := &lineTable{unit: u, section: s, names: make(map[uint64]string)}
	c := s.Cursor(int64(v.u), s.Size())
	defer c.Done()
	if t.readHeader(c) {
		u.lines = t
		u.file.cached += len(t.files) + len(t.dirs)
	}
	return u.lines
}

// readHeader reads the header of a line number program (DWARF 2 to 5) and reports whether it is valid.
func (t *lineTable) readHeader(c *elffile.Cursor) bool {
	var dwarf64 bool
	t.end, dwarf64 = initialLength(c)
	t.version = int(c.U16())
	if c.Bad() || t.version < 2 || t.version > 5 {
		return false
	}
	h := t.unit.unitHeader // for the forms of addresses and offsets
	h.dwarf64 = dwarf64
	if t.version >= 5 {
		h.addrSize = int(c.U8())
		c.U8()
	}
	n := offset(c, dwarf64)
	if c.Bad() || n > uint64(t.end-c.Pos()) {
		return false
	}
	t.begin = c.Pos() + int64(n)
	t.minInst = uint64(c.U8())
	if t.version >= 4 {
		c.U8() // operations per instruction: 1 except for VLIW
	}
	c.U8() // default_is_stmt
	t.lineBase = int64(int8(c.U8()))
	t.lineRange = uint64(c.U8())
	t.opcodeBase = c.U8()
	if c.Bad() || t.lineRange == 0 || t.opcodeBase == 0 {
		return false
	}
	t.lengths = make([]uint8, t.opcodeBase)
	for i := 1; i < int(t.opcodeBase); i++ {
		t.lengths[i] = c.U8()
	}
	if t.version >= 5 {
		dirs := readEntries(c, &h, t)
		for _, d := range dirs {
			t.dirs = append(t.dirs, d.name)
		}
		t.files = readEntries(c, &h, t)
		return !c.Bad()
	}
	// Entry 0 of both is implicit: the compilation directory and the primary file.
	t.dirs, t.files = []value{{}}, []lineFile{{}}
	for c.More() && len(t.dirs) < maxLineEntries {
		v := readValue(c, &h, formString, 0)
		if uint64(c.Pos()) == v.u+1 {
			break
		}
		t.dirs = append(t.dirs, v)
	}
	for c.More() && len(t.files) < maxLineEntries {
		v := readValue(c, &h, formString, 0)
		if uint64(c.Pos()) == v.u+1 {
			break
		}
		t.files = append(t.files, lineFile{name: v, dir: c.Uleb()})
		c.Uleb()
		c.Uleb()
	}
	return !c.Bad()
}

// readEntries reads the directories or the files of a version 5 header.
func readEntries(c *elffile.Cursor, h *unitHeader, t *lineTable) []lineFile {
	const path, directory = 1, 2 // DW_LNCT_*
	type format struct{ content, form uint64 }
	formats := make([]format, c.U8())
	for i := range formats {
		formats[i] = format{c.Uleb(), c.Uleb()}
	}
	n := c.Uleb()
	if n > maxLineEntries || (len(formats) == 0 && n > 0) {
		c.Fail()
	}
	var list []lineFile
	for ; n > 0 && !c.Bad(); n-- {
		before := c.Pos()
		var f lineFile
		for _, k := range formats {
			v := readValue(c, h, form(min(k.form, 0xffff)), 0)
			switch k.content {
			case path:
				f.name = v
			case directory:
				f.dir = v.u
			}
		}
		if c.Pos() == before || !t.unit.file.budget.spend(len(formats)) {
			c.Fail()
			break
		}
		list = append(list, f)
	}
	return list
}

// fileName is the path of file i of the unit's line table.
func (u *unit) fileName(i uint64) string {
	t := u.lineTable()
	if t == nil || i >= uint64(len(t.files)) || (i == 0 && t.version < 5) {
		return ""
	}
	if name, ok := t.names[i]; ok {
		return name
	}
	f := t.files[i]
	u = t.unit
	name := u.str(f.name, t.section)
	if name != "" && !path.IsAbs(name) {
		// Directory 0 is the compilation directory. If a prefix map made it relative, it does not locate the others.
		dir := ""
		if v, ok := u.root.get(atCompDir); ok {
			dir = u.str(v, u.file.section("info"))
		}
		if f.dir != 0 && f.dir < uint64(len(t.dirs)) {
			name = path.Join(u.str(t.dirs[f.dir], t.section), name)
			if !path.IsAbs(dir) {
				dir = ""
			}
		}
		if !path.IsAbs(name) {
			name = path.Join(dir, name)
		}
	}
	t.names[i] = name
	return name
}

// A position is the source position of an address; file is an index into the table.
type position struct {
	addr  uint64
	file  uint64
	line  int
	found bool
}

// find runs the line number program once and fills in the positions, which are sorted by address.
func (t *lineTable) find(ps []position) {
	type registers struct {
		addr, file uint64
		line       int64
	}
	start := registers{file: 1, line: 1}
	reg := start
	var prev registers
	open := false // prev is a row of the current sequence
	dead := false // the current sequence is discarded code
	row := func(end bool) {
		if !open {
			dead = reg.addr == 0
		}
		if open && reg.addr > prev.addr && !dead {
			i := sort.Search(len(ps), func(i int) bool { return ps[i].addr >= prev.addr })
			for ; i < len(ps) && ps[i].addr < reg.addr; i++ {
				if !ps[i].found && prev.line > 0 {
					ps[i] = position{ps[i].addr, prev.file, int(min(prev.line, 1<<31-1)), true}
				}
			}
		}
		prev, open = reg, !end
	}
	c := t.section.Cursor(t.begin, t.end)
	defer c.Done()
	for c.More() && t.unit.file.budget.spend(1) {
		op := c.U8()
		if op >= t.opcodeBase {
			op -= t.opcodeBase
			reg.addr += uint64(op) / t.lineRange * t.minInst
			reg.line += t.lineBase + int64(uint64(op)%t.lineRange)
			row(false)
			continue
		}
		switch op {
		case 0:
			n := c.Uleb()
			next := c.Pos() + int64(n)
			if n == 0 || n > uint64(c.End()-c.Pos()) {
				c.Fail()
				break
			}
			switch c.U8() {
			case 1: // DW_LNE_end_sequence
				row(true)
				reg = start
			case 2: // DW_LNE_set_address
				if n == 9 {
					reg.addr = c.U64()
				} else if n == 5 {
					reg.addr = uint64(c.U32())
				}
			}
			if !c.Bad() {
				c.MoveTo(next)
			}
		case 1: // DW_LNS_copy
			row(false)
		case 2: // DW_LNS_advance_pc
			reg.addr += c.Uleb() * t.minInst
		case 3: // DW_LNS_advance_line
			reg.line += c.Sleb()
		case 4: // DW_LNS_set_file
			reg.file = c.Uleb()
		case 8: // DW_LNS_const_add_pc
			reg.addr += uint64(255-t.opcodeBase) / t.lineRange * t.minInst
		case 9: // DW_LNS_fixed_advance_pc
			reg.addr += uint64(c.U16())
		default:
			for range t.lengths[op] {
				c.Uleb()
			}
		}
	}
}
