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
