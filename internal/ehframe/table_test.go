package ehframe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/elftruth"
	"github.com/vmblame/vmblame/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const program = `
__attribute__((noinline)) int leaf(int x) { return x * 3; }
__attribute__((noinline)) int frame(int x) { volatile int a[40]; a[x % 40] = leaf(x); return a[3]; }
int main(int argc, char **argv) { return frame(argc) + leaf(argc); }
`

func build(t *testing.T, flags string) *elffile.File {
	t.Helper()
	testenv.Need(t, "gcc")
	dir := t.TempDir()
	source, out := filepath.Join(dir, "prog.c"), filepath.Join(dir, "prog")
	if err := os.WriteFile(source, []byte(program), 0o644); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command("gcc", append(strings.Fields(flags), "-O1", "-o", out, source)...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, b)
	}
	f, err := elffile.OpenPath(out)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestRanges expects each function of a program to have an entry of its own range, by whichever table.
func TestRanges(t *testing.T) {
	for _, c := range []struct {
		flags string
		open  func(f *elffile.File) *Table
	}{
		{"", func(f *elffile.File) *Table { return Open(f, elffile.NewSegments(f)) }},
		{"-Wl,--no-eh-frame-hdr", func(f *elffile.File) *Table { return Open(f, elffile.NewSegments(f)) }},
		{"-g -fno-asynchronous-unwind-tables", OpenDebugFrame},
		{"-g -gz=zlib -fno-asynchronous-unwind-tables", OpenDebugFrame},
		{"-m32 -ffreestanding -nostdlib -shared -fPIC", func(f *elffile.File) *Table { return Open(f, elffile.NewSegments(f)) }},
	} {
		f := build(t, c.flags)
		table := c.open(f)
		if table == nil || (table.header == nil) != (c.flags == "-Wl,--no-eh-frame-hdr" || strings.Contains(c.flags, "-g")) {
			t.Errorf("%q: %+v", c.flags, table)
			continue
		}
		found := 0
		for _, fn := range elftruth.Symbols(t, f.Name()) {
			if fn.Name != "leaf" && fn.Name != "frame" && fn.Name != "main" {
				continue
			}
			found++
			for _, pc := range []uint64{fn.Start, fn.End - 1} {
				e, ok := table.Find(pc)
				start, end, known := e.Range()
				if !ok || !known || start != fn.Start || end != fn.End {
					t.Errorf("%q: %s+%d: entry of [%#x, %#x), %v, want [%#x, %#x)", c.flags, fn.Name, pc-fn.Start, start, end, ok, fn.Start, fn.End)
				}
			}
			if !table.Same(fn.Start, fn.End-1) || table.Same(fn.Start-1, fn.Start) || table.Same(fn.Start, fn.End) {
				t.Errorf("%q: the ends of %s are not those of its entry", c.flags, fn.Name)
			}
		}
		if found < 3 {
			t.Errorf("%q: %d functions", c.flags, found)
		}
	}
}

// TestNoTable expects nothing, and no panic, of what is not there.
func TestNoTable(t *testing.T) {
	var none *Table
	if _, ok := none.Find(1); ok || !none.Same(1, 2) {
		t.Error("a table that is not there says something")
	}
}
