package elffile

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"testing"
)

// BenchmarkAlternativeOpen opens a file as the unwinder does at its first sight, with the traced thread stopped: the
// segments, the build id, and the first bytes of the search table for unwinding. debug/elf reads all section headers
// and all of their names for it.
func BenchmarkAlternativeOpen(b *testing.B) {
	for _, name := range []string{"gcc", "node", "java"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		b.Run("elffile/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := OpenPath(path)
				if err != nil {
					b.Fatal(err)
				}
				mem := NewSegments(f)
				for _, p := range f.Progs() {
					if p.Type == elf.PT_GNU_EH_FRAME && mem.Bytes(p.Vaddr, 12) == nil || f.BuildID() == "" {
						b.Fatal("nothing read")
					}
				}
				f.Close()
			}
		})
		b.Run("debug-elf/"+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, err := elf.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				id, err := f.Section(".note.gnu.build-id").Data()
				if err != nil || len(id) == 0 {
					b.Fatal(err)
				}
				for _, p := range f.Progs {
					if p.Type == elf.PT_GNU_EH_FRAME {
						if _, err := p.ReadAt(make([]byte, 12), 0); err != nil {
							b.Fatal(err)
						}
					}
				}
				f.Close()
			}
		})
	}
}

// TestCutSectionHeaders expects what unwinding needs of a file whose section headers are not there: cut off, as some
// packers do, or not in the memory that it is read from. debug/elf refuses such a file as a whole.
func TestCutSectionHeaders(t *testing.T) {
	path := build(t, program)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := open(t, path)
	cut := whole[:want.shoff]
	if _, err := elf.NewFile(bytes.NewReader(cut)); err == nil {
		t.Error("debug/elf takes the file: docs/architecture.md says that it does not")
	}
	f, err := Open(bytes.NewReader(cut), int64(len(cut)), "cut")
	if err != nil {
		t.Fatal(err)
	}
	if f.BuildID() != want.BuildID() || len(f.Progs()) != len(want.Progs()) {
		t.Errorf("build id %q, %d segments, want %q, %d", f.BuildID(), len(f.Progs()), want.BuildID(), len(want.Progs()))
	}
}
