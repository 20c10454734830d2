package debuginfo

import (
	"runtime"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/vm"
)

// bounded fails where f allocates more than the bytes it is given can be worth.
func bounded(t *testing.T, f func()) {
	t.Helper()
	const limit = 256 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > limit {
		t.Errorf("%d bytes were allocated", n)
	}
}

// FuzzDWARF looks addresses up in sections of any bytes.
func FuzzDWARF(f *testing.F) {
	f.Fuzz(func(t *testing.T, info, abbrev, line, ranges, str []byte) {
		d := newFile(nil, "", new(budget))
		d.altTried = true
		d.exec = elffile.Code{vm.Range{Start: 0x100, End: 0x9000}}
		for name, b := range map[string][]byte{"info": info, "abbrev": abbrev, "line": line, "ranges": ranges,
			"rnglists": ranges, "aranges": ranges, "str": str, "line_str": str, "str_offsets": ranges, "addr": ranges} {
			d.sections[name] = elffile.NewSection(b)
		}
		x := &Info{file: d, index: unitIndex{file: d}}
		find := func() {
			var places []Place
			for a := uint64(0x100); a < 0x500; a += 8 {
				places = append(places, Place{Addr: a})
			}
			x.Find(places)
		}
		bounded(t, func() {
			find()
			find()
		})
		x.Close()
	})
}

// FuzzPack looks a unit up in an index of any bytes.
func FuzzPack(f *testing.F) {
	f.Fuzz(func(t *testing.T, index []byte, id uint64) {
		findContribution(elffile.NewSection(index), id, &budget{left: 1 << 20})
	})
}
