package corefile

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strings"

	"github.com/vmblame/vmblame/internal/openfile"
	"github.com/vmblame/vmblame/internal/vm"
)

// Bounds on what a core file may claim.
const (
	maxSegments = 1 << 20
	maxNotes    = 256 << 20
)

// File is an opened core file. It is safe for concurrent use.
type File struct {
	PID     int    // 0 where no note says it
	Name    string // of the program, at most 15 bytes; "" where no note says it
	Command string // its arguments, at most 79 bytes of them
	Threads []Thread
	Rows    []vm.Mapping      // ascending; a core does not tell whether a row is shared
	Aux     map[uint64]uint64 // the auxiliary vector, by the kernel's numbers (getauxval(3))
	// Lost are the mappings of files that the notes name of which the core has no segment, so that their permissions are not known,
	// ascending: gcore leaves out what the program has not written to.
	Lost []vm.Mapping

	r      io.ReaderAt
	closer io.Closer
	filled []filled
	byGDB  bool
}

// Thread is a thread as it stood when the core was written.
type Thread struct {
	TID        int
	SP, FSBase uint64
}

// filled is a range whose bytes are in the file.
type filled struct {
	vm.Range
	off int64
}

// mapped is an entry of NT_FILE.
type mapped struct {
	vm.Range
	off  uint64
	path string
}

// Compressed returns the command that decompresses a file, recognised by its first bytes; "" if it is not compressed.
func Compressed(head []byte) string {
	for magic, program := range map[string]string{"\x28\xb5\x2f\xfd": "zstd -d", "\x1f\x8b": "gunzip", "\xfd7zXZ\x00": "unxz", "\x04\x22\x4d\x18": "lz4 -d", "BZh": "bunzip2"} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return program
		}
	}
	return ""
}

// Open opens the core file at path.
func Open(path string) (*File, error) {
	o, err := openfile.Regular(path)
	if err != nil {
		return nil, err
	}
	st, err := o.Stat()
	if err == nil {
		var f *File
		if f, err = Read(o, st.Size()); err == nil {
			f.closer = o
			return f, nil
		}
	}
	o.Close()
	return nil, fmt.Errorf("%s: %w", path, err)
}

// Read reads the headers and notes of a core of size bytes. r remains the caller's, and is read on.
func Read(r io.ReaderAt, size int64) (*File, error) {
	var h elf.Header64
	if err := binary.Read(io.NewSectionReader(r, 0, size), binary.LittleEndian, &h); err != nil || string(h.Ident[:4]) != elf.ELFMAG {
		head := make([]byte, 8)
		n, _ := r.ReadAt(head, 0)
		if by := Compressed(head[:n]); by != "" {
			return nil, fmt.Errorf("compressed: unpack it first (%s)", by)
		}
		return nil, errors.New("no core file")
	}
	switch {
	case elf.Class(h.Ident[elf.EI_CLASS]) != elf.ELFCLASS64 || elf.Machine(h.Machine) != elf.EM_X86_64:
		return nil, fmt.Errorf("a file of %v, %v: only cores of x86-64 can be read", elf.Machine(h.Machine), elf.Class(h.Ident[elf.EI_CLASS]))
	case elf.Type(h.Type) != elf.ET_CORE:
		return nil, fmt.Errorf("no core file: a program or library (%v)", elf.Type(h.Type))
	case h.Phentsize != 56:
		return nil, errors.New("no core file: program headers of an unknown length")
	}
	segments, err := readSegments(r, size, &h)
	if err != nil {
		return nil, err
	}
	f := &File{r: r, Aux: map[uint64]uint64{}}
	var files []mapped
	for _, s := range segments {
		if s.Filesz > 0 && (s.Off > uint64(size) || s.Filesz > uint64(size)-s.Off) {
			return nil, fmt.Errorf("the core is cut: a segment ends at byte %d, and the file has %d", s.Off+s.Filesz, size)
		}
		if elf.ProgType(s.Type) == elf.PT_NOTE {
			if s.Filesz > maxNotes {
				return nil, fmt.Errorf("notes of %d bytes", s.Filesz)
			}
			notes := make([]byte, s.Filesz)
			if _, err := r.ReadAt(notes, int64(s.Off)); err != nil && err != io.EOF {
				return nil, err
			}
			files = append(files, f.readNotes(notes)...)
		}
	}
	if err := f.addRows(segments, files); err != nil {
		return nil, err
	}
	if len(f.Rows) == 0 {
		return nil, errors.New("a core without any mapping")
	}
	return f, nil
}

// readSegments reads the program headers, whose number stands in the first section header where it is too large for its
// own field (PN_XNUM).
func readSegments(r io.ReaderAt, size int64, h *elf.Header64) ([]elf.Prog64, error) {
	n := uint64(h.Phnum)
	if n == 0xffff {
		var s elf.Section64
		if h.Shoff > uint64(size) {
			return nil, errors.New("the core is cut: its section header is behind its end")
		}
		if err := binary.Read(io.NewSectionReader(r, int64(h.Shoff), 64), binary.LittleEndian, &s); err != nil {
			return nil, errors.New("the core is cut: its section header is behind its end")
		}
		n = uint64(s.Info)
	}
	if n == 0 || n > maxSegments || h.Phoff > uint64(size) || n*56 > uint64(size)-h.Phoff {
		return nil, fmt.Errorf("the core is cut: %d program headers do not fit into %d bytes", n, size)
	}
	list := make([]elf.Prog64, n)
	if err := binary.Read(io.NewSectionReader(r, int64(h.Phoff), int64(n)*56), binary.LittleEndian, list); err != nil {
		return nil, err
	}
	return list, nil
}

// addRows makes the rows of the loaded segments. Their files are those that the notes name.
func (f *File) addRows(segments []elf.Prog64, files []mapped) error {
	for _, s := range segments {
		r := vm.Range{Start: s.Vaddr, End: s.Vaddr + s.Memsz}
		if elf.ProgType(s.Type) != elf.PT_LOAD || s.Memsz == 0 || r.Start >= vm.VsyscallStart {
			continue
		}
		if r.End < r.Start || r.End > vm.AddressMax || (r.Start|r.End)%vm.PageSize != 0 || s.Filesz > s.Memsz {
			return fmt.Errorf("a segment of %#x bytes at %#x", s.Memsz, s.Vaddr)
		}
		m := vm.Mapping{Range: r}
		for flag, p := range map[elf.ProgFlag]vm.Perms{elf.PF_R: vm.Read, elf.PF_W: vm.Write, elf.PF_X: vm.Exec} {
			if elf.ProgFlag(s.Flags)&flag != 0 {
				m.Perms |= p
			}
		}
		f.Rows = append(f.Rows, m)
		if s.Filesz > 0 {
			f.filled = append(f.filled, filled{vm.Range{Start: r.Start, End: r.Start + vm.PageDown(s.Filesz)}, int64(s.Off)})
		}
	}
	slices.SortFunc(f.Rows, func(a, b vm.Mapping) int { return cmp.Compare(a.Start, b.Start) })
	slices.SortFunc(f.filled, func(a, b filled) int { return cmp.Compare(a.Start, b.Start) })
	for i := 1; i < len(f.Rows); i++ {
		if f.Rows[i].Start < f.Rows[i-1].End {
			return fmt.Errorf("segments at %#x and %#x overlap", f.Rows[i-1].Start, f.Rows[i].Start)
		}
	}
	for _, m := range files {
		if row := f.row(m.Start); row != nil && row.Start == m.Start && row.End <= m.End {
			row.File.Path, row.Offset = m.path, m.off
			// The kernel maps these for nobody alone.
			if strings.HasPrefix(m.path, "/SYSV") || m.path == "/dev/zero (deleted)" {
				row.Perms |= vm.Shared
			}
		} else if row == nil && !m.Empty() && m.End <= vm.AddressMax && (m.Start|m.End)%vm.PageSize == 0 {
			f.Lost = append(f.Lost, vm.Mapping{Range: m.Range, Offset: m.off, File: vm.File{Path: m.path}})
		}
	}
	if f.byGDB {
		f.closeRows()
	}
	slices.SortFunc(f.Lost, func(a, b vm.Mapping) int { return cmp.Compare(a.Start, b.Start) })
	end := uint64(0)
	f.Lost = slices.DeleteFunc(f.Lost, func(m vm.Mapping) bool { // of those that overlap, the first one
		i := sort.Search(len(f.Rows), func(i int) bool { return f.Rows[i].End > m.Start })
		if m.Start < end || i < len(f.Rows) && f.Rows[i].Start < m.End {
			return true
		}
		end = m.End
		return false
	})
	return nil
}

// emptyBytes are as many zeros at the beginning of a row as say that it was not accessible.
const emptyBytes = 16 * vm.PageSize

// closeRows takes from rows of no file that can only be read, and have nothing to read, what gdb says that they may: it says so of
// what cannot be accessed, too. Behind a file's they are the zeros of its variables, which the loader protects.
func (f *File) closeRows() {
	b := make([]byte, emptyBytes)
	for i := range f.Rows {
		e := &f.Rows[i]
		if e.Perms != vm.Read || e.File.Path != "" || i > 0 && f.Rows[i-1].End == e.Start && f.Rows[i-1].File.Path != "" {
			continue
		}
		n := f.ReadPages(b[:min(emptyBytes, e.Len())], e.Start)
		if len(bytes.Trim(b[:n], "\x00")) == 0 {
			e.Perms = 0
		}
	}
}

func (f *File) row(at uint64) *vm.Mapping {
	i := sort.Search(len(f.Rows), func(i int) bool { return f.Rows[i].End > at })
	if i == len(f.Rows) || !f.Rows[i].Contains(at) {
		return nil
	}
	return &f.Rows[i]
}

// Exe is the path of the program, by the entry that the kernel noted, "" where that is not known.
func (f *File) Exe() string {
	if row := f.row(f.Aux[AtEntry]); row != nil {
		return row.File.Path
	}
	return ""
}

// Close closes what Open opened.
func (f *File) Close() {
	if f.closer != nil {
		_ = f.closer.Close() // it was only read
	}
}

// ReadPages fills p, whole pages, from addr on, and returns how many bytes it could.
func (f *File) ReadPages(p []byte, addr uint64) int {
	n := 0
	for n < len(p) {
		i := sort.Search(len(f.filled), func(i int) bool { return f.filled[i].End > addr })
		if i == len(f.filled) || !f.filled[i].Contains(addr) {
			break
		}
		x := &f.filled[i]
		want := min(uint64(len(p)-n), x.End-addr)
		got, err := f.r.ReadAt(p[n:n+int(want)], x.off+int64(addr-x.Start))
		n += got
		addr += uint64(got)
		if err != nil || got == 0 {
			break
		}
	}
	return n
}

// Resident yields the parts of r that were written out, ascending.
func (f *File) Resident(r vm.Range) func(yield func(vm.Range) bool) {
	return func(yield func(vm.Range) bool) {
		i := sort.Search(len(f.filled), func(i int) bool { return f.filled[i].End > r.Start })
		for ; i < len(f.filled) && f.filled[i].Start < r.End; i++ {
			if x := f.filled[i].Intersect(r); !x.Empty() && !yield(x) {
				return
			}
		}
	}
}

// First returns the address at which the first page of the row's file is mapped, 0 if the core does not say.
func (f *File) First(m *vm.Mapping) (first uint64) {
	for i := range f.Rows {
		if f.Rows[i].Start > m.Start && first != 0 {
			break
		}
		if f.Rows[i].File.Path == m.File.Path && f.Rows[i].Offset == 0 {
			first = f.Rows[i].Start
		}
	}
	return first
}

// is reports whether the file at path may be the one that the row maps from its beginning: its first page is the one in the
// core. A core that does not have that page tells nothing.
func (f *File) is(o *os.File, m *vm.Mapping) bool {
	first := f.First(m)
	here, there := make([]byte, vm.PageSize), make([]byte, vm.PageSize)
	if first == 0 || f.ReadPages(there, first) < vm.PageSize {
		return false
	}
	n, _ := o.ReadAt(here, 0)
	return n >= 64 && bytes.Equal(here[:n], there[:n])
}

// ErrOther says that a file is not the one that was mapped, or that the core does not tell.
var ErrOther = errors.New("the core does not show that it is the file that was mapped")

// OpenFile opens the file that a row maps, if it is still the one on this machine.
func (f *File) OpenFile(m *vm.Mapping) (*os.File, error) {
	o, err := openfile.Regular(m.File.Path)
	if err != nil {
		return nil, err
	}
	if !f.is(o, m) {
		o.Close()
		return nil, fmt.Errorf("%s: %w", m.File.Path, ErrOther)
	}
	return o, nil
}
