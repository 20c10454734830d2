package debuginfo

import "math"

// ranges calls f for each address range of d until f returns false.
func (u *unit) ranges(d *die, f func(lo, hi uint64) bool) {
	if v, ok := d.get(atRanges); ok {
		if u.version >= 5 {
			u.rnglist(v, f)
		} else {
			u.rangelist(v, f)
		}
		return
	}
	lowV, ok := d.get(atLow)
	if !ok {
		return
	}
	low, ok := u.addr(lowV)
	highV, has := d.get(atHigh)
	if !ok || !has {
		return
	}
	high := highV.u
	if highV.isAddr() {
		high, ok = u.addr(highV)
	} else {
		high += low
	}
	if ok && low < high {
		f(low, high)
	}
}

// covers returns the range of d that holds addr. has reports whether d has ranges at all.
func (u *unit) covers(d *die, addr uint64) (r span, ok, has bool) {
	u.ranges(d, func(lo, hi uint64) bool {
		has = true
		if addr >= lo && addr < hi {
			r, ok = span{lo: lo, hi: hi}, true
		}
		return !ok
	})
	return r, ok, has
}

// rangelist reads .debug_ranges (DWARF 4, 2.17.3).
func (u *unit) rangelist(v value, f func(lo, hi uint64) bool) {
	s, off := u.file.section("ranges"), v.u
	if u.skeleton != nil {
		s, off = u.skeleton.file.section("ranges"), off+u.rangesBase
	}
	if s == nil || off >= uint64(s.Size()) {
		return
	}
	c := s.Cursor(int64(off), s.Size())
	defer c.Done()
	base := u.low
	escape := uint64(math.MaxUint64)
	if u.addrSize == 4 {
		escape = math.MaxUint32
	}
	for u.file.budget.spend(1) {
		lo, hi := c.Uint(u.addrSize), c.Uint(u.addrSize)
		switch {
		case c.Bad() || lo == 0 && hi == 0:
			return
		case lo == escape:
			base = hi
		case lo < hi:
			if !f(base+lo, base+hi) {
				return
			}
		}
	}
}

// rnglist reads .debug_rnglists (DWARF 5, 2.17.3 and 7.25).
func (u *unit) rnglist(v value, f func(lo, hi uint64) bool) {
	s := u.file.section("rnglists")
	if s == nil {
		return
	}
	off := v.u
	if v.form == formRnglistx {
		size := uint64(4)
		if u.dwarf64 {
			size = 8
		}
		if v.u > uint64(s.Size()) {
			return
		}
		at := int64(u.rangesBase + v.u*size)
		c := s.Cursor(at, min(at+int64(size), s.Size()))
		off = u.rangesBase + offset(c, u.dwarf64)
		bad := c.Bad()
		c.Done()
		if bad {
			return
		}
	}
	if off >= uint64(s.Size()) {
		return
	}
	c := s.Cursor(int64(off), s.Size())
	defer c.Done()
	base := u.low
	for u.file.budget.spend(1) {
		var lo, hi uint64
		ok := true
		switch c.U8() {
		case 0: // DW_RLE_end_of_list
			return
		case 1: // DW_RLE_base_addressx
			base, _ = u.addrIndex(c.Uleb())
			continue
		case 2: // DW_RLE_startx_endx
			lo, ok = u.addrIndex(c.Uleb())
			hi, _ = u.addrIndex(c.Uleb())
		case 3: // DW_RLE_startx_length
			lo, ok = u.addrIndex(c.Uleb())
			hi = lo + c.Uleb()
		case 4: // DW_RLE_offset_pair
			lo = base + c.Uleb()
			hi = base + c.Uleb()
		case 5: // DW_RLE_base_address
			base = c.Uint(u.addrSize)
			continue
		case 6: // DW_RLE_start_end
			lo, hi = c.Uint(u.addrSize), c.Uint(u.addrSize)
		case 7: // DW_RLE_start_length
			lo = c.Uint(u.addrSize)
			hi = lo + c.Uleb()
		default:
			return
		}
		if c.Bad() {
			return
		}
		if ok && lo < hi && !f(lo, hi) {
			return
		}
	}
}
