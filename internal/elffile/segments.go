package elffile

import "debug/elf"

const (
	blockSize = 4096
	maxBlocks = 512
)

// Segments is a file's memory as the file itself has it: the contents of its PT_LOAD segments by the file's own
// virtual addresses, before any relocation. Blocks are cached, up to two megabytes, since table searches keep reading
// the same ones. It is for one goroutine at a time.
type Segments struct {
	file   *File
	blocks map[uint64]*[blockSize]byte
}

// NewSegments returns the Segments of f, which has read nothing yet. A nil f has none.
func NewSegments(f *File) *Segments { return &Segments{file: f} }

// Bytes returns n bytes at vaddr, nil if the file does not have them all. Bytes of a page outside the segment are
// zero. The bytes must not be changed.
func (s *Segments) Bytes(vaddr, n uint64) []byte {
	if vaddr+n < vaddr {
		return nil
	}
	at := vaddr % blockSize
	b := s.block(vaddr - at)
	if b == nil {
		return nil
	}
	if at+n <= blockSize {
		return b[at : at+n]
	}
	out := make([]byte, 0, n)
	out = append(out, b[at:]...)
	for next := vaddr - at + blockSize; uint64(len(out)) < n; next += blockSize {
		if b = s.block(next); b == nil {
			return nil
		}
		out = append(out, b[:min(blockSize, n-uint64(len(out)))]...)
	}
	return out
}

// window returns the buffered bytes from vaddr on, at least n if the file has them.
func (s *Segments) window(vaddr, n uint64) []byte {
	return s.Bytes(vaddr, max(n, blockSize-vaddr%blockSize))
}

// Cursor returns a Cursor over [vaddr, end), whose positions are virtual addresses. It becomes bad when it reads
// where no segment is.
func (s *Segments) Cursor(vaddr, end uint64) Cursor {
	c := Cursor{seg: s, pos: int64(vaddr), end: int64(end)}
	if c.pos < 0 || c.end < c.pos {
		c.Fail()
	}
	return c
}

// String returns the zero-terminated string at vaddr, which ends before end; "" where there is none.
func (s *Segments) String(vaddr, end uint64) string {
	c := s.Cursor(vaddr, end)
	return c.String()
}

// block returns the page at vaddr, nil if no segment has any of it; bytes outside segments are zero.
func (s *Segments) block(vaddr uint64) *[blockSize]byte {
	if b, ok := s.blocks[vaddr]; ok || s.file == nil {
		return b
	}
	if s.blocks == nil || len(s.blocks) >= maxBlocks {
		s.blocks = make(map[uint64]*[blockSize]byte)
	}
	b := new([blockSize]byte)
	some := false
	for _, p := range s.file.progs {
		if p.Type != elf.PT_LOAD || p.Filesz == 0 || p.Vaddr+p.Filesz < p.Vaddr {
			continue
		}
		from, to := max(vaddr, p.Vaddr), min(vaddr+blockSize, p.Vaddr+p.Filesz)
		if from >= to || vaddr+blockSize < vaddr {
			continue
		}
		if n, _ := s.file.ReadVaddr(b[from-vaddr:to-vaddr], from); n > 0 {
			some = true
		}
	}
	if !some {
		b = nil
	}
	s.blocks[vaddr] = b
	return b
}
