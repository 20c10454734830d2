package inspect

import (
	"debug/elf"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestExported holds what the hash table of a file leads to against all of its symbols, as debug/elf reads them.
func TestExported(t *testing.T) {
	var path string
	for _, p := range []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"} {
		if f, err := elf.Open(p); err == nil {
			f.Close()
			path = p
		}
	}
	if path == "" {
		testenv.Lacks(t, "a C library in the usual places")
	}
	all, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	syms, err := all.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elffile.OpenPath(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := &Image{Path: path, File: f, Bias: 1 << 40}
	values := map[string]map[uint64]bool{} // of all versions of a name
	for _, s := range syms {
		if s.Section != elf.SHN_UNDEF && s.Value != 0 {
			if values[s.Name] == nil {
				values[s.Name] = map[uint64]bool{}
			}
			values[s.Name][s.Value+m.Bias] = true
		}
	}
	n := 0
	for name, want := range values {
		got := m.exported(name)
		if !want[got] {
			t.Errorf("%s is at %x, not among %v", name, got, want)
		}
		if got := m.exported(name + "~"); got != 0 {
			t.Errorf("%s~ is at %x", name, got)
		}
		n++
	}
	if n < 1000 || m.read[".dynsym"] {
		t.Errorf("%d symbols, looked up without the table for it: %v", n, m.read[".dynsym"])
	}
}

// TestMovedCode: code that a program has moved to pages of no file is the file's, and the rest of the file an image; a copy of it
// elsewhere is not.
func TestMovedCode(t *testing.T) {
	said, _, found := program(t, "moved_text")
	n := lines(said, "is %v %v %s", func(scan func(...any)) {
		var r vm.Range
		var kind classify.Kind
		scan(&r.Start, &r.End, &kind)
		var is classify.Kind
		for _, f := range found {
			for _, p := range f.Parts {
				if p.Overlaps(r) && f.Confidence != classify.Guess {
					is = f.Kind
				}
			}
		}
		if code := kind == classify.ELFText; code && is != kind || !code && is != "" {
			t.Errorf("%v is %q, the program says %s", r, is, kind)
		}
	})
	if n != 3 {
		t.Errorf("the program says %q", said)
	}
	data := false
	for _, f := range found {
		data = data || f.Detail == "moved_text" && len(f.Parts) > 3
	}
	if !data {
		t.Error("what the file has beside its code is no image")
	}
}
