package e2e

import (
	"debug/dwarf"
	"debug/elf"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
)

// truth is all that the symbols and the debugging information of one build say of its addresses, as
// debug/elf and debug/dwarf read them.
type truth struct {
	ranges []nameRange // sorted by lo
	ends   []uint64    // the greatest hi up to each of them
}

type nameRange struct {
	lo, hi  uint64
	name    string
	inlined bool
}

// truthOf reads files of one build: the stripped one, its debug file, the one it was stripped from.
func truthOf(t *testing.T, paths ...string) *truth {
	t.Helper()
	tr := &truth{}
	for _, path := range paths {
		f, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		tr.addSymbols(f)
		if f.Section(".debug_info") != nil || f.Section(".zdebug_info") != nil {
			d, err := f.DWARF()
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			tr.addDWARF(t, d)
		}
		f.Close()
	}
	sort.Slice(tr.ranges, func(i, j int) bool { return tr.ranges[i].lo < tr.ranges[j].lo })
	var end uint64
	for _, r := range tr.ranges {
		end = max(end, r.hi)
		tr.ends = append(tr.ends, end)
	}
	return tr
}

func (tr *truth) addSymbols(f *elf.File) {
	syms, _ := f.Symbols()
	dyn, _ := f.DynamicSymbols()
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
		tr.ranges = append(tr.ranges, nameRange{s.Value, s.Value + s.Size, name, false})
	}
}

func (tr *truth) addDWARF(t *testing.T, d *dwarf.Data) {
	names := func(e *dwarf.Entry) (names []string) {
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
	r := d.Reader()
	for {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return
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
		for _, n := range names(e) {
			for _, x := range ranges {
				tr.ranges = append(tr.ranges, nameRange{x[0], x[1], n, e.Tag == dwarf.TagInlinedSubroutine})
			}
		}
	}
}

// at lists the names of the functions that cover addr, or of the calls inlined there.
func (tr *truth) at(addr uint64, inlined bool) []string {
	var names []string
	i := sort.Search(len(tr.ranges), func(i int) bool { return tr.ranges[i].lo > addr })
	for i--; i >= 0 && tr.ends[i] > addr; i-- {
		if r := &tr.ranges[i]; r.hi > addr && r.inlined == inlined && !slices.Contains(names, r.name) {
			names = append(names, r.name)
		}
	}
	return names
}

// carries tells whether one of the names, raw as they are, is that of a function with this demangled name
// and this linkage name. The debugging information has some functions (lambdas, local ones) under their bare
// names alone.
func carries(names []string, function, linkage string) bool {
	for _, n := range names {
		if n == function || linkage != "" && n == linkage {
			return true
		}
		bare, _, _ := strings.Cut(n, "<")
		if bare == "" || strings.HasPrefix(n, "_Z") || strings.HasPrefix(n, "_R") {
			continue
		}
		// a::b<c>::bare(d), bare is a whole word of it
		for rest := function; ; {
			i := strings.Index(rest, bare)
			if i < 0 {
				break
			}
			before, after := rest[:i], rest[i+len(bare):]
			if (before == "" || !isWord(before[len(before)-1])) && (after == "" || !isWord(after[0])) {
				return true
			}
			rest = rest[i+1:]
		}
	}
	return false
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// buildOf lists the files of the build of a module that are here: its own, and its debug file.
func buildOf(path string) []string {
	f, err := elffile.OpenPath(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	paths := []string{path}
	if d, err := f.DebugFile(nil); err == nil {
		paths = append(paths, d.Name())
	}
	return paths
}
