package elffile

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Bounds on what a file's headers may claim. A File never holds more than the headers these allow; what
// SectionData returns is bounded by its caller.
const (
	maxProgs    = 4096     // program headers; the kernel's loader takes at most 64 KiB of them (fs/binfmt_elf.c)
	maxSections = 1 << 18  // section headers
	maxNames    = 16 << 20 // bytes of section names
	maxNotes    = 1 << 16  // bytes read of one note segment
)

const (
	ehdrSize = 64 // Elf64_Ehdr
	phdrSize = 56 // Elf64_Phdr
	shdrSize = 64 // Elf64_Shdr
)

// ErrNotELF is what Open returns, wrapped, for bytes that are no ELF file at all.
var ErrNotELF = errors.New("not an ELF file")

// MachineError is what Open returns for a well-formed ELF file of another machine than x86-64 little
// endian: i386 programs (Machine EM_386) and x32 ones (EM_X86_64 with ELFCLASS32) among them.
type MachineError struct {
	Name    string
	Class   elf.Class
	Data    elf.Data
	Machine elf.Machine
}

// Error implements error.
func (e *MachineError) Error() string {
	return fmt.Sprintf("%s: ELF file for %v (%v, %v), not for 64-bit x86-64", e.Name, e.Machine, e.Class, e.Data)
}

// File is one opened ELF file. All methods may be called by several goroutines at once, Close excepted.
type File struct {
	r      io.ReaderAt
	closer io.Closer // nil where the caller owns r
	size   int64
	name   string

	typ      elf.Type
	entry    uint64
	shoff    uint64
	shnum    uint64
	shstrndx uint64
	progs    []elf.ProgHeader

	buildOnce sync.Once
	buildID   string

	sectOnce sync.Once
	sections []elf.SectionHeader
	byName   map[string]int
	sectErr  error

	debugMu sync.Mutex
	debug   map[string]*debugResult
}

// Open reads the ELF header and the program headers of the size bytes behind r, nothing else; name is for
// messages and for finding the debug file beside it. r must be safe for concurrent use (os.File and
// bytes.Reader are) and stays the caller's. Errors wrap ErrNotELF or are a *MachineError where they say so.
func Open(r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{r: r, size: size, name: name}
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	return f, nil
}

// OpenPath opens the file at path, which must be a regular one, and Open reads it. Close closes it.
func OpenPath(path string) (*File, error) {
	o, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := o.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w: not a regular file", path, ErrNotELF)
	}
	if err != nil {
		o.Close()
		return nil, err
	}
	f, err := Open(o, st.Size(), path)
	if err != nil {
		o.Close()
		return nil, err
	}
	f.closer = o
	return f, nil
}

// Close closes the file where OpenPath opened it, and the debug files that DebugFile found. Nothing may be
// read afterwards.
func (f *File) Close() error {
	f.debugMu.Lock()
	defer f.debugMu.Unlock()
	for _, d := range f.debug {
		if d.file != nil {
			d.file.Close()
		}
	}
	f.debug = nil
	if f.closer == nil {
		return nil
	}
	err := f.closer.Close()
	f.closer = nil
	return err
}

// Name is the name given to Open or OpenPath.
func (f *File) Name() string { return f.name }

// Size is the file's length in bytes when it was opened.
func (f *File) Size() int64 { return f.size }

// ReadAt implements io.ReaderAt over the file's bytes.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.r.ReadAt(p, off) }

// Type is e_type: ET_EXEC, ET_DYN …
func (f *File) Type() elf.Type { return f.typ }

// Entry is e_entry, a virtual address of the file itself; 0 where it has none.
func (f *File) Entry() uint64 { return f.entry }

// Progs returns the program headers. The slice is the File's own and must not be changed.
func (f *File) Progs() []elf.ProgHeader { return f.progs }

func (f *File) readHeader() error {
	var h [ehdrSize]byte
	n, err := readFull(f.r, h[:], 0)
	if n < 20 || string(h[:4]) != elf.ELFMAG {
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%s: read the ELF header: %w", f.name, err)
		}
		return fmt.Errorf("%s: %w", f.name, ErrNotELF)
	}
	le := binary.LittleEndian
	class, data := elf.Class(h[elf.EI_CLASS]), elf.Data(h[elf.EI_DATA])
	machine := elf.Machine(le.Uint16(h[18:]))
	if data == elf.ELFDATA2MSB {
		machine = elf.Machine(binary.BigEndian.Uint16(h[18:]))
	}
	if class != elf.ELFCLASS64 || data != elf.ELFDATA2LSB || machine != elf.EM_X86_64 {
		return &MachineError{f.name, class, data, machine}
	}
	if n < ehdrSize {
		return fmt.Errorf("%s: %w: the header is cut", f.name, ErrNotELF)
	}
	f.typ = elf.Type(le.Uint16(h[16:]))
	f.entry = le.Uint64(h[24:])
	phoff := le.Uint64(h[32:])
	f.shoff = le.Uint64(h[40:])
	phentsize, phnum := le.Uint16(h[54:]), uint64(le.Uint16(h[56:]))
	shentsize := le.Uint16(h[58:])
	f.shnum, f.shstrndx = uint64(le.Uint16(h[60:])), uint64(le.Uint16(h[62:]))
	if shentsize != shdrSize {
		f.shoff = 0
	}
	if f.shoff == 0 {
		f.shnum = 0
	} else if f.shnum == 0 || f.shstrndx == uint64(elf.SHN_XINDEX) || phnum == 0xffff {
		// The gABI keeps counts that do not fit into 16 bits in the first section header.
		var s [shdrSize]byte
		if f.readAt(s[:], f.shoff) == nil {
			if f.shnum == 0 {
				f.shnum = le.Uint64(s[32:])
			}
			if f.shstrndx == uint64(elf.SHN_XINDEX) {
				f.shstrndx = uint64(le.Uint32(s[40:]))
			}
			if phnum == 0xffff {
				phnum = uint64(le.Uint32(s[44:]))
			}
		}
	}
	if phnum == 0 {
		return nil
	}
	if phentsize != phdrSize || phnum > maxProgs {
		return fmt.Errorf("%s: %w: %d program headers of %d bytes", f.name, ErrNotELF, phnum, phentsize)
	}
	b := make([]byte, phnum*phdrSize)
	if err := f.readAt(b, phoff); err != nil {
		return fmt.Errorf("%s: read the program headers: %w", f.name, err)
	}
	f.progs = make([]elf.ProgHeader, phnum)
	for i := range f.progs {
		p := b[i*phdrSize:]
		f.progs[i] = elf.ProgHeader{
			Type: elf.ProgType(le.Uint32(p)), Flags: elf.ProgFlag(le.Uint32(p[4:])),
			Off: le.Uint64(p[8:]), Vaddr: le.Uint64(p[16:]), Paddr: le.Uint64(p[24:]),
			Filesz: le.Uint64(p[32:]), Memsz: le.Uint64(p[40:]), Align: le.Uint64(p[48:]),
		}
	}
	return nil
}

// readAt fills p from the file's bytes at off, which is unchecked input.
func (f *File) readAt(p []byte, off uint64) error {
	if off > uint64(f.size) || uint64(len(p)) > uint64(f.size)-off {
		return fmt.Errorf("%d bytes at offset %#x of %d: %w", len(p), off, f.size, io.ErrUnexpectedEOF)
	}
	_, err := readFull(f.r, p, int64(off))
	return err
}

// readFull is io.ReadFull at an offset: nil where all of p was read, whatever ReadAt says beside it.
func readFull(r io.ReaderAt, p []byte, off int64) (int, error) {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
