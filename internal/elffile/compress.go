package elffile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// maxRatio is how many bytes of memory one compressed byte may claim before any of it has been inflated.
const maxRatio = 8

// CompressionHeader reads what a compressed section begins with, from r: Elf64_Chdr or Elf32_Chdr, or in a
// section of a name .zdebug_x "ZLIB" and a big-endian size. size is that of the inflated section as the file
// claims it.
func (f *File) CompressionHeader(r io.Reader, zdebug bool) (kind elf.CompressionType, size uint64, err error) {
	var h [24]byte
	if zdebug {
		if _, err := io.ReadFull(r, h[:12]); err != nil || string(h[:4]) != "ZLIB" {
			return 0, 0, errors.New("no ZLIB header")
		}
		return elf.COMPRESS_ZLIB, binary.BigEndian.Uint64(h[4:]), nil
	}
	// Type, in the wide one 4 bytes of padding, size, alignment.
	word := f.layout.word
	if _, err := io.ReadFull(r, h[:3*word]); err != nil {
		return 0, 0, fmt.Errorf("no compression header: %w", err)
	}
	return elf.CompressionType(binary.LittleEndian.Uint32(h[:])), f.layout.address(h[word:], 0), nil
}

func (f *File) decompress(s elf.SectionHeader, zdebug bool, limit int64) ([]byte, error) {
	src := io.NewSectionReader(f.r, int64(s.Offset), int64(s.FileSize))
	kind, size, err := f.CompressionHeader(src, zdebug)
	if err != nil {
		return nil, err
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
