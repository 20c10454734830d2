package elffile

import (
	"bytes"
	"debug/elf"
	"os"
	"slices"
	"testing"
)

// TestDynamic holds names and exports against what debug/elf reads of the same files.
func TestDynamic(t *testing.T) {
	held := 0
	for _, path := range []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1", "/usr/bin/true", "/proc/self/exe"} {
		if _, err := os.Stat(path); err != nil {
			continue
		}
		f, err := OpenPath(path)
		if err != nil {
			t.Fatal(err)
		}
		truth, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		d := f.Dynamic()
		names, _ := truth.DynString(elf.DT_SONAME)
		if len(names) > 0 != (d.SOName() != "") || len(names) > 0 && names[0] != d.SOName() {
			t.Errorf("%s is called %q, want %v", path, d.SOName(), names)
		}
		symbols, _ := truth.DynamicSymbols()
		defined := map[string]bool{}
		for _, s := range symbols {
			defined[s.Name] = defined[s.Name] || s.Section != elf.SHN_UNDEF
		}
		for name, is := range defined {
			if d.Exports(name) != is {
				t.Errorf("%s exports %s: %v", path, name, !is)
			}
			held++
		}
		if d.Exports("no_such_symbol") || d.Exports("") {
			t.Errorf("%s exports what it does not have", path)
		}
		truth.Close()
		f.Close()
	}
	if held == 0 {
		t.Error("no symbol was held against anything")
	}
}

// FuzzDynamic: a file that claims anything is read to its end.
func FuzzDynamic(f *testing.F) {
	b, err := os.ReadFile("/usr/bin/true")
	if err != nil {
		f.Fatal(err)
	}
	b = slices.Clip(b[:min(len(b), 16<<10)])
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := Open(bytes.NewReader(b), int64(len(b)), "fuzz")
		if err != nil {
			return
		}
		d := file.Dynamic()
		d.SOName()
		d.Exports("malloc")
	})
}
