package symbolize

import (
	"path/filepath"

	"github.com/vmblame/vmblame/internal/elffile"
)

// splitFiles are the files of split debugging information (DWARF 5, 7.3.2; GCC's Fission before it).
type splitFiles struct {
	program string // path of the image, beside which PROGRAM.dwp is looked for
	files   []*dwarfFile
}

func (s *splitFiles) close() {
	for _, f := range s.files {
		f.close()
		f.elf.Close()
	}
	s.files = nil
}

// code returns the unit that has u's functions: the split unit of a skeleton where it can be found, else u.
func (u *unit) code() *unit {
	v, ok := u.root.get(atDwoName)
	if !ok || u.skeleton != nil {
		return u
	}
	if !u.splitTried {
		u.splitTried = true
		info := u.file.section("info")
		name := u.str(v, info)
		if v, ok := u.root.get(atCompDir); ok && !filepath.IsAbs(name) {
			name = filepath.Join(u.str(v, info), name)
		}
		u.split = u.openSplit(name)
	}
	if u.split != nil {
		return u.split
	}
	return u
}

// openSplit opens the unit of u's id in a .dwo file.
func (u *unit) openSplit(name string) *unit {
	if name == "" || !filepath.IsAbs(name) {
		return nil
	}
	e, err := elffile.OpenPath(name)
	if err != nil {
		return nil
	}
	f := newDwarfFile(e, ".dwo", u.file.fuel)
	f.exec = u.file.exec
	f.altTried = true
	for _, h := range f.headers() {
		s := u.splitUnit(f, h)
		if s == nil {
			continue
		}
		u.file.splits.files = append(u.file.splits.files, f)
		return s
	}
	f.close()
	e.Close()
	return nil
}

// splitUnit returns the unit of f with header h if it is u's other half.
func (u *unit) splitUnit(f *dwarfFile, h unitHeader) *unit {
	if h.kind != utSplitCompile && (h.kind != utCompile || h.version >= 5) {
		return nil
	}
	s := &unit{unitHeader: h, file: f, skeleton: u, addrSection: u.file.section("addr")}
	if !s.readRoot(0) || s.dwoID != u.dwoID {
		return nil
	}
	s.low, s.addrBase = u.low, u.addrBase
	if s.version < 5 {
		s.rangesBase = 0
		if v, ok := u.root.get(atRnglistsBase); ok {
			s.rangesBase = v.u
		}
		s.strBase = 0
	}
	f.units[h.off] = s
	return s
}
