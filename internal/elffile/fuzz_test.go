package elffile

import (
	"bytes"
	"os"
	"testing"
)

// FuzzOpen asks a file of arbitrary bytes everything. It must not panic, and must not return more bytes than
// its limit. Either an error or a value, never both.
func FuzzOpen(f *testing.F) {
	seed, err := os.ReadFile("testdata/tiny.elf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Open(bytes.NewReader(b), int64(len(b)), "fuzz")
		if (file == nil) == (err == nil) {
			t.Fatalf("file %v, error %v", file, err)
		}
		if err != nil {
			return
		}
		file.BuildID()
		file.DebugLink()
		for _, off := range []uint64{0, 1, 0x1000, ^uint64(0)} {
			file.VaddrOf(off)
		}
		var p [64]byte
		for _, g := range file.Progs() {
			for _, v := range []uint64{g.Vaddr, g.Vaddr + g.Filesz - 32, g.Vaddr + g.Memsz - 1} {
				if n, err := file.ReadVaddr(p[:], v); n < 0 || n > len(p) || (err == nil) != (n == len(p)) {
					t.Fatalf("ReadVaddr: %d bytes, error %v", n, err)
				}
			}
		}
		list, _ := file.Sections()
		for i, s := range list {
			if i == 64 {
				break
			}
			const limit = 1 << 20
			if data, err := file.SectionData(s.Name, limit); len(data) > limit || (err != nil && data != nil) {
				t.Fatalf("SectionData(%q): %d bytes, error %v", s.Name, len(data), err)
			}
		}
	})
}

// FuzzMiniDebugInfo reads any bytes as .gnu_debugdata.
func FuzzMiniDebugInfo(f *testing.F) {
	f.Fuzz(func(t *testing.T, packed []byte) {
		file, err := unpackMiniDebugInfo(packed, "fuzz")
		if (file == nil) == (err == nil) {
			t.Fatalf("file %v, error %v", file, err)
		}
		if file != nil {
			file.Sections()
		}
	})
}

// FuzzCursor reads any bytes in any order, from memory and from a section in a file: both must say the same.
func FuzzCursor(f *testing.F) {
	f.Add([]byte{0x80, 0x80, 0x01, 'a', 0, 1, 2, 3, 4, 5, 6, 7, 8}, []byte{6, 8, 4, 0, 1})
	f.Add(bytes.Repeat([]byte{0xff}, 20), []byte{6, 7})
	f.Fuzz(func(t *testing.T, data, ops []byte) {
		memory := NewSection(data)
		stored := &Section{r: bytes.NewReader(data), size: int64(len(data))}
		a, b, c := memory.Cursor(0, memory.Size()), stored.Cursor(0, stored.Size()), CursorOver(data)
		for _, op := range ops {
			var got [3]any
			for i, x := range []*Cursor{a, b, &c} {
				switch op % 10 {
				case 0:
					got[i] = x.U8()
				case 1:
					got[i] = x.U16()
				case 2:
					got[i] = x.U24()
				case 3:
					got[i] = x.U32()
				case 4:
					got[i] = x.U64()
				case 5:
					got[i] = x.String()
				case 6:
					got[i] = x.Uleb()
				case 7:
					got[i] = x.Sleb()
				case 8:
					x.SkipString()
				case 9:
					x.Skip(uint64(op))
				}
			}
			if got[0] != got[1] || got[0] != got[2] || a.Bad() != b.Bad() || a.Bad() != c.Bad() || a.Pos() != b.Pos() || a.Pos() != c.Pos() {
				t.Fatalf("%v at %d, %d, %d", got, a.Pos(), b.Pos(), c.Pos())
			}
			if a.Pos() > int64(len(data)) {
				t.Fatalf("at %d of %d", a.Pos(), len(data))
			}
		}
	})
}
