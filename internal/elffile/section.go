package elffile

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
)

// inMemoryMax is the size up to which inflated sections are held in memory where no temporary file can be made.
const inMemoryMax = 16 << 20

// A Section is the contents of one section, read piecemeal: a compressed one is inflated only as far as it is read,
// and one larger than a megabyte goes to an unlinked temporary file, so that a debug file of any size costs little
// memory. It is for one goroutine at a time.
type Section struct {
	mem  []byte // all of it, or nil
	r    io.ReaderAt
	base int64 // of its first byte in r
	size int64
	file *os.File // the temporary file behind r, nil if none
	free [][]byte // windows that no cursor uses

	packed io.ReadCloser // what inflates the rest; nil where nothing is left
	ready  int64         // bytes inflated so far
}

// NewSection returns a Section that holds b, which stays the caller's.
func NewSection(b []byte) *Section { return &Section{mem: b, size: int64(len(b))} }

// OpenSection opens the contents of the section of that name, compressed or not (as SectionData). Close releases its
// resources; the file must stay open until then.
func (f *File) OpenSection(name string) (*Section, error) {
	sh, zdebug, err := f.findSection(name)
	if err == nil {
		err = f.checkSection(sh)
	}
	var s *Section
	switch {
	case err != nil:
	case packed(sh, zdebug):
		s, err = f.openPacked(sh, zdebug)
	default:
		s = &Section{r: f.r, base: int64(sh.Offset), size: int64(sh.FileSize)}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: section %s: %w", f.name, name, err)
	}
	return s, nil
}

func (f *File) openPacked(sh elf.SectionHeader, zdebug bool) (*Section, error) {
	r, size, greedy, err := f.inflater(sh, zdebug)
	if err != nil {
		return nil, err
	}
	s, err := newPacked(r, size)
	if err == nil && greedy {
		if s.inflateTo(size); s.ready < size {
			s.Close()
			return nil, io.ErrUnexpectedEOF
		}
	}
	return s, err
}

// newPacked returns a section of size bytes read from z, which the section closes.
func newPacked(z io.ReadCloser, size int64) (*Section, error) {
	s := &Section{size: size, packed: z}
	if size > inMemory {
		var err error
		if s.file, err = temporary(); err == nil {
			s.r = s.file
			return s, nil
		}
		if size > inMemoryMax {
			z.Close()
			return nil, err
		}
	}
	s.mem = make([]byte, size)
	return s, nil
}

// temporary makes a file that has no name.
func temporary() (*os.File, error) {
	f, err := os.CreateTemp("", "vmblame-debug-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close gives back the decompressor and the temporary file.
func (s *Section) Close() error {
	s.finish()
	if s.file != nil {
		return s.file.Close()
	}
	return nil
}

// Size is the length of the contents in bytes; it shrinks if compressed data turns out to be corrupt.
func (s *Section) Size() int64 { return s.size }

// ReadAt implements io.ReaderAt over the contents.
func (s *Section) ReadAt(p []byte, off int64) (int, error) {
	n := s.readAt(p, off)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readAt reads up to len(p) bytes at off, fewer at the end of the section or where the file fails.
func (s *Section) readAt(p []byte, off int64) int {
	if off < 0 || off >= s.size {
		return 0
	}
	p = p[:min(int64(len(p)), s.size-off)]
	if s.packed != nil {
		if end := off + int64(len(p)); end > s.ready {
			s.inflateTo(end)
		}
		if off >= s.ready {
			return 0
		}
		p = p[:min(int64(len(p)), s.ready-off)]
	}
	if s.mem != nil {
		return copy(p, s.mem[off:])
	}
	n, _ := s.r.ReadAt(p, s.base+off)
	return n
}

// inflated returns the bytes between off and end of a section in memory that are inflated, at least n, or nil.
func (s *Section) inflated(off, end int64, n int) []byte {
	if s.packed != nil && off+int64(n) > s.ready {
		s.inflateTo(off + int64(n))
	}
	if s.packed != nil {
		end = min(end, s.ready)
	}
	if end = min(end, s.size); end-off < int64(n) {
		return nil
	}
	return s.mem[off:end]
}

// inflateTo inflates everything before end. At corrupt data the section ends.
func (s *Section) inflateTo(end int64) {
	end = min(max(end, s.ready+inflateStep), s.size)
	var n int64
	if s.mem != nil {
		got, _ := io.ReadFull(s.packed, s.mem[s.ready:end])
		n = int64(got)
	} else {
		n, _ = io.CopyN(s.file, s.packed, end-s.ready)
	}
	s.ready += n
	if s.ready < end {
		s.size = s.ready
	}
	if s.ready == s.size {
		s.finish()
	}
}

// finish gives back the decompressor.
func (s *Section) finish() {
	if s.packed != nil {
		s.packed.Close()
		s.packed = nil
	}
}

// window returns a buffer for a cursor.
func (s *Section) window() []byte {
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b
	}
	return make([]byte, windowSize)
}

// String returns the zero-terminated string at off, at most MaxName bytes of it; "" where there is none. A nil
// Section has no strings.
func (s *Section) String(off uint64) string {
	if s == nil || off >= uint64(s.size) {
		return ""
	}
	return readString(s, int64(off), s.size)
}
