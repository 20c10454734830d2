package ehframe

import (
	"encoding/binary"
	"testing"
)

// FuzzIndex indexes any bytes as .debug_frame and as .eh_frame and asks for what it finds.
func FuzzIndex(f *testing.F) {
	le := binary.LittleEndian
	cie := append(le.AppendUint32(nil, 20), 0, 0, 0, 0, 1, 'z', 'R', 0, 1, 0x78, 16, 1, encPCRel|encSdata4, 12, 7, 8, 0x90, 1, 0, 0)
	fde := append(le.AppendUint32(nil, 16), 28, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0)
	f.Add(append(cie, fde...), true)
	df := append(le.AppendUint32(nil, 16), 0xff, 0xff, 0xff, 0xff, 4, 0, 8, 0, 1, 0x78, 16, 12, 7, 8, 0x90, 1)
	df = append(le.AppendUint32(df, 20), 0, 0, 0, 0)
	f.Add(le.AppendUint64(le.AppendUint64(df, 0x1000), 0x200), false)
	f.Fuzz(func(t *testing.T, data []byte, eh bool) {
		table := (&Table{word: 8}).build(data, 0x2000, eh)
		if table == nil {
			return
		}
		for i, x := range table.list {
			if i > 0 && table.list[i-1].begin > x.begin {
				t.Fatal("not sorted")
			}
			e, ok := table.Find(x.begin)
			if !ok {
				continue
			}
			if start, end, ok := e.Range(); ok && (start != x.begin || end < start) {
				t.Fatalf("entry of %#x covers [%#x, %#x)", x.begin, start, end)
			}
			table.Same(x.begin, x.begin+uint64(i))
			if i == 100 {
				break
			}
		}
	})
}
