package elffile

import (
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/vmblame/vmblame/internal/openfile"
)

// Bounds on what a file's headers may claim. A File never holds more than the headers these allow; what
// SectionData returns is bounded by its caller.
const (
	maxProgs    = 4096     // program headers; the kernel's loader takes at most 64 KiB of them (fs/binfmt_elf.c)
	maxSections = 1 << 18  // section headers
	maxNames    = 16 << 20 // bytes of section names
	maxNotes    = 1 << 16  // bytes read of one note segment
)

// ErrNotELF is what Open returns, wrapped, for bytes that are no ELF file at all.
var ErrNotELF = errors.New("not an ELF file")

// MachineError is what Open returns for a well-formed ELF file of a machine other than EM_X86_64 (64-bit and x32) and
// EM_386.
type MachineError struct {
	Name    string
	Class   elf.Class
	Data    elf.Data
	Machine elf.Machine
}

// Error implements error.
func (e *MachineError) Error() string {
	return fmt.Sprintf("%s: ELF file for %v (%v, %v), not for x86-64 or i386", e.Name, e.Machine, e.Class, e.Data)
}

// File is one opened ELF file. All methods except Close are safe for concurrent use.
type File struct {
	r      io.ReaderAt
	closer io.Closer // nil where the caller owns r
	size   int64
	name   string

	layout   *layout
	machine  elf.Machine
	typ      elf.Type
	entry    uint64
	phoff    uint64
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

// Open reads the ELF header and the program headers of the size bytes behind r, nothing else; name is for messages
// and for finding the debug file beside it. r must be safe for concurrent use (os.File and bytes.Reader are) and
// remains the caller's. Errors may wrap ErrNotELF or be a *MachineError.
func Open(r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{r: r, size: size, name: name}
	if err := f.readHeader(); err != nil {
		return nil, err
	}
	return f, nil
}

// OpenPath opens the file at path, which must be a regular one (package openfile), and Open reads it. Close closes it.
func OpenPath(path string) (*File, error) {
	o, err := openfile.Regular(path)
	if err != nil {
		return nil, err
	}
	return OpenFile(o, path)
}

// OpenUnder is OpenPath for a path as seen by a process whose root directory is root ("/proc/PID/root").
func OpenUnder(root, path string) (*File, error) {
	o, err := openfile.Under(root, path)
	if err != nil {
		return nil, err
	}
	return OpenFile(o, o.Name())
}

// OpenFile is Open for an open file; Close closes it, and so does a failed OpenFile.
func OpenFile(o *os.File, name string) (*File, error) {
	st, err := o.Stat()
	var f *File
	if err == nil {
		f, err = Open(o, st.Size(), name)
	}
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

// OS is the open file, nil where the bytes are from elsewhere. It remains the File's.
func (f *File) OS() *os.File {
	o, _ := f.r.(*os.File)
	return o
}

// ReadAt implements io.ReaderAt over the file's bytes.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.r.ReadAt(p, off) }

// Class is ELFCLASS64, or ELFCLASS32 for i386 and x32.
func (f *File) Class() elf.Class { return f.layout.class }

// Machine is EM_X86_64 or EM_386.
func (f *File) Machine() elf.Machine { return f.machine }

// Type is e_type: ET_EXEC, ET_DYN …
func (f *File) Type() elf.Type { return f.typ }

// Entry is e_entry, a virtual address of the file itself; 0 where it has none.
func (f *File) Entry() uint64 { return f.entry }

// Progs returns the program headers. The slice is the File's own and must not be changed.
func (f *File) Progs() []elf.ProgHeader { return f.progs }

// readAt fills p from the file's bytes at off, which is unchecked input.
func (f *File) readAt(p []byte, off uint64) error {
	if off > uint64(f.size) || uint64(len(p)) > uint64(f.size)-off {
		return fmt.Errorf("%d bytes at offset %#x of %d: %w", len(p), off, f.size, io.ErrUnexpectedEOF)
	}
	_, err := readFull(f.r, p, int64(off))
	return err
}

// readFull is io.ReadFull at an offset: the error is nil if all of p was read, even if ReadAt returns one.
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
