package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// maxRatio is how many bytes of memory one compressed byte may claim before any of it has been inflated.
const maxRatio = 8

func (f *File) decompress(s elf.SectionHeader, zdebug bool, limit int64) ([]byte, error) {
	src := io.NewSectionReader(f.r, int64(s.Offset), int64(s.FileSize))
	var size uint64
	kind := elf.COMPRESS_ZLIB
	var h [24]byte // Elf64_Chdr, or "ZLIB" and a big-endian size
	if zdebug {
		if _, err := io.ReadFull(src, h[:12]); err != nil || string(h[:4]) != "ZLIB" {
			return nil, fmt.Errorf("no ZLIB header")
		}
		size = binary.BigEndian.Uint64(h[4:])
	} else {
		if _, err := io.ReadFull(src, h[:]); err != nil {
			return nil, fmt.Errorf("no compression header: %w", err)
		}
		kind = elf.CompressionType(binary.LittleEndian.Uint32(h[:]))
		size = binary.LittleEndian.Uint64(h[8:])
	}
	if limit < 0 || size > uint64(limit) {
		return nil, fmt.Errorf("%w: %d bytes inflated, limit %d", ErrTooLarge, size, limit)
	}
	var r io.Reader
	switch kind {
	case elf.COMPRESS_ZLIB:
		z, err := zlib.NewReader(src)
		if err != nil {
			return nil, fmt.Errorf("inflate: %w", err)
		}
		defer z.Close()
		r = z
	case elf.COMPRESS_ZSTD:
		z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxMemory(max(size, 1<<10)), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, fmt.Errorf("inflate: %w", err)
		}
		defer z.Close()
		r = z
	default:
		return nil, fmt.Errorf("compression %v is not known", kind)
	}
	var buf bytes.Buffer
	buf.Grow(int(min(size, s.FileSize*maxRatio)) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(r, int64(size)))
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	if uint64(n) != size {
		return nil, fmt.Errorf("inflate: %d bytes where the header says %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	return buf.Bytes(), nil
}
