package symbolize

const maxSpans = 1 << 20 // of one index; 32 bytes of memory each

// unitIndex finds the units that may have an address's function: by .debug_aranges where it knows the
// address, else by the ranges of the units that .debug_aranges does not list.
type unitIndex struct {
	file    *dwarfFile
	aranges spans
	listed  map[int64]bool // units that .debug_aranges speaks of
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
	c := cursorAt(s, 0, s.size)
	defer c.done()
	for c.more() {
		start := c.pos
		end, dwarf64 := c.initialLength()
		version, info, size, segment := c.u16(), c.offset(dwarf64), int(c.u8()), c.u8()
		if c.bad {
			break
		}
		if version != 2 || segment != 0 || (size != 8 && size != 4) {
			c.seek(end)
			continue
		}
		tuple := int64(2 * size)
		c.skip(uint64((tuple - (c.pos-start)%tuple) % tuple))
		for c.pos+tuple <= end && x.file.fuel.burn(1) {
			lo, n := c.uint(size), c.uint(size)
			if c.bad || lo == 0 && n == 0 {
				break
			}
			if x.file.exec.holdsRange(lo, lo+n) && x.aranges.add(lo, lo+n, info) {
				x.listed[int64(info)] = true
			}
		}
		if c.pos > end {
			break
		}
		c.seek(end)
	}
	x.aranges.sort()
}

// walk reads the ranges of all units that .debug_aranges does not list. Nothing else of them is kept.
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
			return !x.file.exec.holdsRange(lo, hi) || x.roots.add(lo, hi, uint64(h.off))
		})
		x.file.trim()
	}
	x.roots.sort()
}
