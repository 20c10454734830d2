package debuginfo

import (
	"path/filepath"

	"github.com/vmblame/vmblame/internal/elffile"
)

const maxSplitFiles = 32 // kept open

// splitFiles are the files of split debugging information (DWARF 5, 7.3.2; GCC's Fission before it).
type splitFiles struct {
	program string // path of the image, beside which PROGRAM.dwp is looked for
	files   []*file
	pack    *file // PROGRAM.dwp, also in files
	tried   bool
}

func (s *splitFiles) close() {
	for _, f := range s.files {
		f.close()
		f.elf.Close()
	}
	s.files, s.pack, s.tried = nil, nil, false
}

// code returns the unit with u's functions: for a skeleton its split unit, if found, else u.
func (u *unit) code() *unit {
	v, ok := u.root.get(atDwoName)
	if !ok || u.skeleton != nil {
		return u
	}
	u.file.split = true
	if !u.splitTried {
		u.splitTried = true
		info := u.file.section("info")
		name := u.str(v, info)
		if v, ok := u.root.get(atCompDir); ok && !filepath.IsAbs(name) {
			name = filepath.Join(u.str(v, info), name)
		}
		if u.split = u.openSplit(name); u.split == nil {
			u.split = u.openPacked()
		}
	}
	if u.split != nil {
		return u.split
	}
	return u
}

// openSplit opens the unit of u's id in a .dwo file.
func (u *unit) openSplit(name string) *unit {
	f := u.openSplitFile(name)
	if f == nil {
		return nil
	}
	for _, h := range f.headers() {
		if s := u.splitUnit(f, h, contribution{}); s != nil {
			return s
		}
	}
	return nil
}

// openPacked opens the unit of u's id in the .dwp file beside the program.
func (u *unit) openPacked() *unit {
	all := &u.file.splits
	if !all.tried {
		all.tried = true
		for _, name := range []string{all.program + ".dwp", u.file.elf.Name() + ".dwp"} {
			if all.pack = u.openSplitFile(name); all.pack != nil {
				break
			}
		}
	}
	if all.pack == nil {
		return nil
	}
	k, ok := all.pack.contributionOf(u.dwoID)
	info := all.pack.section("info")
	if !ok || info == nil {
		return nil
	}
	c := info.Cursor(int64(k.info), info.Size())
	defer c.Done()
	h := readUnitHeader(c)
	if c.Bad() {
		return nil
	}
	return u.splitUnit(all.pack, h, k)
}

// openSplitFile opens a .dwo or .dwp file, once for each name.
func (u *unit) openSplitFile(name string) *file {
	if !filepath.IsAbs(name) {
		return nil
	}
	for _, f := range u.file.splits.files {
		if f.elf.Name() == name {
			return f
		}
	}
	e, err := elffile.OpenPath(name)
	if err != nil {
		return nil
	}
	f := newFile(e, ".dwo", u.file.budget)
	f.exec = u.file.exec
	f.altTried = true
	u.file.splits.files = append(u.file.splits.files, f)
	return f
}

// splitUnit returns the unit of f with header h if it is the split unit of the skeleton u. k says where its
// contributions to f's sections begin.
func (u *unit) splitUnit(f *file, h unitHeader, k contribution) *unit {
	if h.kind != utSplitCompile && (h.kind != utCompile || h.version >= 5) {
		return nil
	}
	s := &unit{unitHeader: h, file: f, skeleton: u, addrSection: u.file.section("addr")}
	if !s.readRoot(k.abbrev) || s.dwoID != u.dwoID {
		return nil
	}
	s.low, s.addrBase = u.low, u.addrBase
	s.strBase += k.strOffsets
	s.rangesBase += k.rnglists
	if s.version < 5 {
		s.strBase, s.rangesBase = k.strOffsets, 0
		if v, ok := u.root.get(atRnglistsBase); ok {
			s.rangesBase = v.u
		}
	}
	return s
}
