package vm

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Perms are the access rights of a mapping as the second column of /proc/PID/maps shows them.
type Perms uint8

// The four letters of the column.
const (
	Read Perms = 1 << iota
	Write
	Exec
	Shared // 's'; absent it is 'p', private
)

// ProtPerms converts the prot argument of mmap(2) or mprotect(2); sharing is not part of it.
func ProtPerms(prot uint64) Perms { return Perms(prot & 7) }

// permsColumns holds the column for each value of Perms, four letters each.
const permsColumns = "---pr--p-w-prw-p--xpr-xp-wxprwxp" + "---sr--s-w-srw-s--xsr-xs-wxsrwxs"

// String returns the column of /proc/PID/maps, for example "rw-p". It does not allocate.
func (p Perms) String() string {
	i := int(p&(Read|Write|Exec|Shared)) * 4
	return permsColumns[i : i+4]
}

// ParsePerms reads the column of /proc/PID/maps.
func ParsePerms(s string) (Perms, error) {
	if len(s) != 4 {
		return 0, fmt.Errorf("permissions %q: want four letters", s)
	}
	p, ok := perms([4]byte([]byte(s)))
	if !ok {
		return 0, fmt.Errorf("permissions %q: letter unknown", s)
	}
	return p, nil
}

func perms(b [4]byte) (p Perms, ok bool) {
	ok = true
	for i, c := range b {
		switch {
		case c == "rwxs"[i]:
			p |= 1 << i
		case c != "---p"[i]:
			ok = false
		}
	}
	return p, ok
}

// Dev is a device number as /proc/PID/maps shows it (on btrfs and overlayfs it differs from stat(2)'s).
type Dev struct {
	Major, Minor uint32
}

// String returns "fe:00".
func (d Dev) String() string {
	if d == (Dev{}) {
		return "00:00"
	}
	b := make([]byte, 0, 17)
	for i, n := range [2]uint32{d.Major, d.Minor} {
		if i > 0 {
			b = append(b, ':')
		}
		if n < 0x10 {
			b = append(b, '0')
		}
		b = strconv.AppendUint(b, uint64(n), 16)
	}
	return string(b)
}

// ParseDev reads "fe:00".
func ParseDev(s string) (Dev, error) {
	major, minor, ok := strings.Cut(s, ":")
	if !ok {
		return Dev{}, fmt.Errorf("device %q: no colon", s)
	}
	a, err := strconv.ParseUint(major, 16, 32)
	if err != nil {
		return Dev{}, fmt.Errorf("device %q: major number: %w", s, errors.Unwrap(err))
	}
	b, err := strconv.ParseUint(minor, 16, 32)
	if err != nil {
		return Dev{}, fmt.Errorf("device %q: minor number: %w", s, errors.Unwrap(err))
	}
	return Dev{uint32(a), uint32(b)}, nil
}

// File is what backs a mapping: the device, inode and path columns of /proc/PID/maps. Path also holds
// the kernel's own names ("[heap]", "[vdso]", "[anon:…]"); a plain anonymous mapping is the zero File.
type File struct {
	Dev   Dev
	Inode uint64
	Path  string
}

// Backed reports whether pages come from a file (shared anonymous memory and huge pages count: the kernel
// keeps them in files of its own), so that the offset column advances with the address. For all other
// mappings the kernel shows offset 0.
func (f File) Backed() bool {
	return f.Inode != 0 || f.Dev != Dev{} || strings.HasPrefix(f.Path, "/")
}

// InMemory reports whether the pages belong to no file that another process could open by name: anonymous pages, huge pages, a memfd. Programs move code
// to such pages.
func (f File) InMemory() bool {
	return f.Inode == 0 && !strings.HasPrefix(f.Path, "[v") || strings.HasPrefix(f.Path, "/memfd:") || strings.HasPrefix(f.Path, "/anon_hugepage")
}

// Mapping is one row of /proc/PID/maps, or a piece of one.
type Mapping struct {
	Range
	Perms  Perms
	Offset uint64 // bytes into the file at Start; 0 where File is not Backed
	File   File
}

// Slice returns the part of m that lies in r, its offset advanced accordingly.
func (m Mapping) Slice(r Range) Mapping {
	x := m.Intersect(r)
	if m.File.Backed() {
		m.Offset += x.Start - m.Start
	}
	m.Range = x
	return m
}

// Same reports whether f and o are one file, or one name given by prctl(PR_SET_VMA). The path of a file may
// differ: it changes when the file is renamed or unlinked. So may the labels [heap] and [stack]: the kernel
// derives them from where a mapping lies (fs/proc/task_mmu.c, vma_is_initial_heap and _stack), and gives
// them to neighbours that it merged.
func (f File) Same(o File) bool {
	if f.Dev != o.Dev || f.Inode != o.Inode {
		return false
	}
	return f.Path == o.Path || f.label() == o.label()
}

// label is the part of the path by which two mappings are told apart.
func (f File) label() string {
	switch {
	case f.Path == "[heap]", f.Path == "[stack]":
		return ""
	case f.Inode != 0 && !strings.HasPrefix(f.Path, "[anon"):
		return ""
	}
	return f.Path
}

// Agrees reports whether a kernel row agrees with m on the pages that they share: permissions, file and file offset.
func (m Mapping) Agrees(row Mapping) bool {
	return m.Perms == row.Perms && m.File.Same(row.File) &&
		(!m.File.Backed() || m.Offset-m.Start == row.Offset-row.Start)
}

// SameKind reports whether o equals or continues m, addresses aside: permissions and file agree, and so do the
// offsets when both are projected to the same address.
func (m Mapping) SameKind(o Mapping) bool {
	return m.Perms == o.Perms && m.File == o.File &&
		(!m.File.Backed() || m.Offset-m.Start == o.Offset-o.Start)
}

// String formats m as a row of /proc/PID/maps with single spaces.
func (m Mapping) String() string {
	s := fmt.Sprintf("%v %v %08x %v %d", m.Range, m.Perms, m.Offset, m.File.Dev, m.File.Inode)
	if m.File.Path != "" {
		s += " " + m.File.Path
	}
	return s
}
