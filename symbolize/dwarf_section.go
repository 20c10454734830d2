package symbolize

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"github.com/vmblame/vmblame/internal/elffile"
)

const (
	// inMemory is the size up to which an inflated section is held in memory; larger ones go to an
	// unlinked temporary file, so that a debug file of any size costs little memory.
	inMemory = 1 << 20
	// inMemoryMax is the size up to which they are held in memory where no such file can be made.
	inMemoryMax = 16 << 20
	// maxInflated bounds an inflated section, and maxRatio what a compressed byte may become: deflate
	// reaches 1032, real sections 10.
	maxInflated = 4 << 30
	maxRatio    = 1100
)

// A section is the contents of a debug section, read piecemeal.
type section struct {
	mem  []byte // all of it, or nil
	r    io.ReaderAt
	base int64 // of its first byte in r
	size int64
	file *os.File // the temporary file behind r, nil if none
	free [][]byte // windows that no cursor uses

	// A section packed with zlib is inflated as far as it has been read: most names need a few units.
	packed io.ReadCloser // nil where there is nothing left to inflate
	ready  int64         // bytes inflated so far
}

// window returns a buffer for a cursor.
func (s *section) window() []byte {
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b
	}
	return make([]byte, windowSize)
}

func (s *section) close() {
	s.finish()
	if s.file != nil {
		s.file.Close()
	}
}

// readAt reads up to len(p) bytes at off, fewer at the end of the section or where the file fails.
func (s *section) readAt(p []byte, off int64) int {
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

// inflated returns what is at hand between off and end of a section in memory, at least n bytes, or nil.
func (s *section) inflated(off, end int64, n int) []byte {
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

// inflateStep is how much is inflated at a time at least.
const inflateStep = 64 << 10

// inflateTo inflates what lies before end. Where the packed bytes are broken the section ends there.
func (s *section) inflateTo(end int64) {
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

// whole inflates what is left, for readers that go to mem or r themselves.
func (s *section) whole() {
	if s.packed != nil {
		s.inflateTo(s.size)
	}
}

// finish gives back the decompressor.
func (s *section) finish() {
	if s.packed != nil {
		s.packed.Close()
		s.packed = nil
	}
}

// openSection opens the debug section of that name, compressed or not (SHF_COMPRESSED with zlib or zstd,
// and the older .zdebug names).
func openSection(f *elffile.File, name string) (*section, error) {
	sh, ok := f.Section(name)
	old := false
	if !ok {
		sh, ok = f.Section(".z" + name[1:])
		old = ok
	}
	if !ok || sh.Type == elf.SHT_NOBITS || !inside(f, sh) {
		return nil, fmt.Errorf("%s: %s: %w", f.Name(), name, elffile.ErrNoSection)
	}
	off, size := int64(sh.Offset), int64(sh.FileSize)
	if !old && sh.Flags&elf.SHF_COMPRESSED == 0 {
		return &section{r: f, base: off, size: size}, nil
	}
	s, err := inflate(f, io.NewSectionReader(f, off, size), size, old)
	if err != nil {
		return nil, fmt.Errorf("%s: inflate %s: %w", f.Name(), name, err)
	}
	return s, nil
}

func inflate(f *elffile.File, src io.Reader, packed int64, old bool) (*section, error) {
	kind, size, err := f.CompressionHeader(src, old)
	if err != nil {
		return nil, err
	}
	if size > maxInflated || size > uint64(packed)*maxRatio {
		return nil, fmt.Errorf("%d bytes become %d", packed, size)
	}
	var r io.Reader
	switch kind {
	case elf.COMPRESS_ZLIB:
		z, err := newInflater(src, packed)
		if err != nil {
			return nil, err
		}
		return newPacked(z, int64(size))
	case elf.COMPRESS_ZSTD:
		z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(16<<20))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	default:
		return nil, fmt.Errorf("compression %v is not known", kind)
	}
	out, err := newPacked(io.NopCloser(r), int64(size))
	if err != nil {
		return nil, err
	}
	out.inflateTo(out.size) // its decoder is too large to be kept
	if out.ready < int64(size) {
		out.close()
		return nil, io.ErrUnexpectedEOF
	}
	return out, nil
}

// newInflater returns a reader of a zlib stream (RFC 1950) of that many bytes. The checksum at its end is left
// unread: names are given long before that, and summing up all bytes would take a tenth of the time. A short
// stream is read at once, which the decompressor is a quarter faster for.
func newInflater(src io.Reader, packed int64) (io.ReadCloser, error) {
	var in flate.Reader
	if packed <= inMemory {
		all := make([]byte, packed) // and the header before the stream, which has been read
		n, err := io.ReadFull(src, all)
		if err != nil && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		in = bytes.NewReader(all[:n])
	} else {
		in = bufio.NewReaderSize(src, inflateStep)
	}
	var h [2]byte
	if _, err := io.ReadFull(in, h[:]); err != nil {
		return nil, err
	}
	const deflate, dictionary = 8, 1 << 5
	if h[0]&15 != deflate || h[1]&dictionary != 0 || binary.BigEndian.Uint16(h[:])%31 != 0 {
		return nil, fmt.Errorf("%x begins no zlib stream", h)
	}
	return flate.NewReader(in), nil
}

// newPacked returns a section of size bytes that comes from z, which it closes.
func newPacked(z io.ReadCloser, size int64) (*section, error) {
	s := &section{size: size, packed: z}
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
