// Package elftruth says what debug/elf and debug/dwarf, read whole and without haste, know of the functions of a
// file: the judge that tests hold our own readers against. Nothing else imports it.
package elftruth

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"slices"
	"sort"
	"strings"
	"testing"
)

// Function is a range of code and a name that it has: of a symbol, of a function of the debugging information, or of
// a call inlined there.
type Function struct {
	Name       string
	Start, End uint64
	Inlined    bool
}

// Truth is the functions of one build, sorted by Start; one that has several names or ranges is there for each.
type Truth struct {
	Functions []Function
	ends      []uint64 // the greatest End up to each of them
}

// New returns the Truth of some functions.
func New(list []Function) *Truth {
	t := &Truth{Functions: list}
	slices.SortStableFunc(list, func(a, b Function) int { return cmp.Compare(a.Start, b.Start) })
	var end uint64
	for _, f := range list {
		end = max(end, f.End)
		t.ends = append(t.ends, end)
	}
	return t
}

// At lists the names of the functions that cover addr, or of the calls inlined there.
func (t *Truth) At(addr uint64, inlined bool) []string {
	var names []string
	i := sort.Search(len(t.Functions), func(i int) bool { return t.Functions[i].Start > addr })
	for i--; i >= 0 && t.ends[i] > addr; i-- {
		if f := &t.Functions[i]; f.End > addr && f.Inlined == inlined && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}

// Named returns the functions of that name.
func (t *Truth) Named(name string) []Function {
	return slices.DeleteFunc(slices.Clone(t.Functions), func(f Function) bool { return f.Name != name })
}

func open(t testing.TB, path string) *elf.File {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Symbols lists the symbols of code that have a size, without their versions.
func Symbols(t testing.TB, path string) []Function {
	t.Helper()
	f := open(t, path)
	syms, _ := f.Symbols()
	dyn, _ := f.DynamicSymbols()
	var list []Function
	for _, s := range append(syms, dyn...) {
		switch elf.ST_TYPE(s.Info) {
		case elf.STT_FUNC, elf.STT_GNU_IFUNC, elf.STT_NOTYPE:
		default:
			continue
		}
		if s.Size == 0 || s.Section == elf.SHN_UNDEF || s.Section == elf.SHN_ABS || int(s.Section) >= len(f.Sections) ||
			f.Sections[s.Section].Flags&elf.SHF_EXECINSTR == 0 {
			continue
		}
		name, _, _ := strings.Cut(s.Name, "@")
		list = append(list, Function{Name: name, Start: s.Value, End: s.Value + s.Size})
	}
	return list
}

// Values lists the symbols of .symtab, those without a size too, by name.
func Values(t testing.TB, path string) map[string]uint64 {
	t.Helper()
	syms, err := open(t, path).Symbols()
	if err != nil {
		t.Fatal(err)
	}
	list := make(map[string]uint64)
	for _, s := range syms {
		list[s.Name] = s.Value
	}
	return list
}

// Debug lists the functions and the inlined calls of the debugging information in a file, none where it has none.
func Debug(t testing.TB, path string) []Function {
	t.Helper()
	f := open(t, path)
	if f.Section(".debug_info") == nil && f.Section(".zdebug_info") == nil {
		return nil
	}
	d, err := f.DWARF()
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	var list []Function
	r := d.Reader()
	for {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return list
		}
		if e.Tag != dwarf.TagSubprogram && e.Tag != dwarf.TagInlinedSubroutine {
			continue
		}
		ranges, err := d.Ranges(e)
		if err != nil {
			t.Fatal(err)
		}
		if len(ranges) == 0 {
			continue
		}
		for _, n := range names(d, e) {
			for _, x := range ranges {
				list = append(list, Function{n, x[0], x[1], e.Tag == dwarf.TagInlinedSubroutine})
			}
		}
	}
}

// names lists the names of a function, its own and those of what it refers to.
func names(d *dwarf.Data, e *dwarf.Entry) (names []string) {
	r := d.Reader()
	for range 8 {
		for _, a := range []dwarf.Attr{dwarf.AttrName, dwarf.AttrLinkageName} {
			if s, ok := e.Val(a).(string); ok {
				names = append(names, s)
			}
		}
		off, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			off, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset)
		}
		if !ok {
			break
		}
		r.Seek(off)
		next, err := r.Next()
		if err != nil || next == nil {
			break // in a supplementary file
		}
		e = next
	}
	return names
}
