package debuginfo

import "slices"

// dropDiscarded removes the functions that the linker discarded from the unit's sorted functions. Some linkers (gold)
// place discarded sections at address 0 and keep the functions' offsets in them: if the file's code is mapped from 0
// on, such a function seems to cover other code. The unit's own ranges show how far its discarded code reaches. Below
// that a function is kept if it lies in another range of the unit and no function overlaps it.
func (u *unit) dropDiscarded() {
	root := u
	if u.skeleton != nil {
		root = u.skeleton
	}
	var end uint64
	var live spans
	root.ranges(&root.root, func(lo, hi uint64) bool {
		if lo == 0 {
			end = max(end, hi)
		} else if u.file.exec.HoldsRange(lo, hi) {
			return live.add(lo, hi, 0)
		}
		return true
	})
	if end == 0 {
		return
	}
	live.sort()
	u.funcs = slices.DeleteFunc(u.funcs, func(f span) bool {
		inside := false
		live.at(f.lo, func(r span) bool {
			inside = f.hi <= r.hi
			return !inside
		})
		return f.lo < end && !inside
	})
	var reach uint64 // of the functions before, but for others at the same place
	list := u.funcs
	u.funcs = nil
	for i := 0; i < len(list); {
		next := i + 1
		for next < len(list) && list[next].lo == list[i].lo && list[next].hi == list[i].hi {
			next++
		}
		overlaps := reach > list[i].lo || next < len(list) && list[next].lo < list[i].hi
		reach = max(reach, list[i].hi)
		if !overlaps || list[i].lo >= end {
			u.funcs = append(u.funcs, list[i:next]...)
		}
		i = next
	}
	u.funcs.sort()
}
