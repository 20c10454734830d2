package debuginfo

const maxSpans = 1 << 20 // of one index; 32 bytes of memory each

// unitIndex finds the units that may have the function at an address: by .debug_aranges if it covers the address,
// else by the ranges of the units that .debug_aranges does not list.
type unitIndex struct {
	file    *file
	aranges spans
	listed  map[int64]bool // units listed in .debug_aranges
	roots   spans          // ranges of the other units, once read
	read    bool
	walked  bool
}

// find calls f for the units at addr until f returns false.
func (x *unitIndex) find(addr uint64, f func(*unit) bool) {
	if !x.read {
		x.read = true
		x.readAranges()
	}
	found := false
	each := func(s span) bool {
		u := x.file.unitAt(int64(s.ref))
		if u == nil {
			return true
		}
		found = true
		return f(u)
	}
	x.aranges.at(addr, each)
	if found {
		return
	}
	if !x.walked {
		x.walked = true
		x.walk()
	}
	x.roots.at(addr, each)
}

// readAranges reads .debug_aranges (DWARF 5, 6.1.2).
func (x *unitIndex) readAranges() {
	x.listed = make(map[int64]bool)
	s := x.file.section("aranges")
	if s == nil {
		return
	}
	c := s.Cursor(0, s.Size())
	defer c.Done()
	for c.More() {
		start := c.Pos()
		end, dwarf64 := initialLength(c)
		version, info, size, segment := c.U16(), offset(c, dwarf64), int(c.U8()), c.U8()
		if c.Bad() {
			break
		}
		if version != 2 || segment != 0 || (size != 8 && size != 4) {
			c.MoveTo(end)
			continue
		}
		tuple := int64(2 * size)
		c.Skip(uint64((tuple - (c.Pos()-start)%tuple) % tuple))
		for c.Pos()+tuple <= end && x.file.budget.spend(1) {
			lo, n := c.Uint(size), c.Uint(size)
			if c.Bad() || lo == 0 && n == 0 {
				break
			}
			if x.file.exec.HoldsRange(lo, lo+n) && x.aranges.add(lo, lo+n, info) {
				x.listed[int64(info)] = true
			}
		}
		if c.Pos() > end {
			break
		}
		c.MoveTo(end)
	}
	x.aranges.sort()
}

// walk reads the ranges of all units that .debug_aranges does not list, and keeps nothing else.
func (x *unitIndex) walk() {
	for _, h := range x.file.headers() {
		if x.listed[h.off] || h.kind == utType || h.kind == utPartial {
			continue
		}
		u := x.file.unitAt(h.off)
		if u == nil {
			continue
		}
		u.ranges(&u.root, func(lo, hi uint64) bool {
			return !x.file.exec.HoldsRange(lo, hi) || x.roots.add(lo, hi, uint64(h.off))
		})
		x.file.trim()
	}
	x.roots.sort()
}
