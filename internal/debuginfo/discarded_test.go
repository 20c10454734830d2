package debuginfo

import (
	"encoding/binary"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestDiscardedFunctions has a unit of which the linker threw the section at [0, 0x3000) away and kept the one
// at [0x1000, 0x2000), in a file whose code begins at 0. Only functions of the second one name anything.
func TestDiscardedFunctions(t *testing.T) {
	var ranges []byte
	for _, a := range []uint64{0, 0x3000, 0x1000, 0x2000, 0, 0} {
		ranges = binary.LittleEndian.AppendUint64(ranges, a)
	}
	f := newFile(nil, "", &budget{left: 1 << 20})
	f.exec = elffile.Code{vm.Range{Start: 0, End: 0x8000}}
	f.sections["ranges"] = elffile.NewSection(ranges)
	u := &unit{unitHeader: unitHeader{version: 4, addrSize: 8}, file: f}
	u.root.has = 1 << atRanges
	u.root.values[atRanges] = value{form: formSecOffset}

	kept, alias, late := span{lo: 0x1000, hi: 0x1400, ref: 1}, span{lo: 0x1000, hi: 0x1400, ref: 2}, span{lo: 0x1800, hi: 0x2000, ref: 3}
	u.funcs = spans{
		kept, alias, late,
		{lo: 0x0100, hi: 0x0900, ref: 4}, // before what was kept
		{lo: 0x1900, hi: 0x2800, ref: 5}, // reaches beyond it
	}
	u.funcs.sort()
	u.dropDiscarded()
	if len(u.funcs) != 3 || u.funcs[0].ref+u.funcs[1].ref != 3 || u.funcs[2].ref != 3 {
		t.Errorf("%+v are left", u.funcs)
	}

	// One that looks as if it were of the same section: which of the two is the code cannot be told.
	u.funcs = spans{kept, late, {lo: 0x1100, hi: 0x1200, ref: 6}}
	u.funcs.sort()
	u.dropDiscarded()
	u.funcs.at(0x1150, func(s span) bool {
		if s.ref == 6 {
			t.Error("a discarded function names code")
		}
		return true
	})
	if n := len(u.funcs); n == 0 || u.funcs[n-1].ref != 3 {
		t.Errorf("%+v are left of a function that nothing overlaps", u.funcs)
	}
}
