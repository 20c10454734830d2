package elffile

import (
	"bufio"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxInflated bounds an inflated section, and maxRatio the inflated bytes per compressed byte: deflate reaches
	// 1032, real sections 10.
	maxInflated = 4 << 30
	maxRatio    = 1100
	// maxZstdWindow bounds the zstd decoder's window; the highest ordinary level needs half of it.
	maxZstdWindow = 16 << 20
	// inMemory is the size in bytes up to which a section, compressed or inflated, is held in memory as a whole.
	inMemory = 1 << 20
	// inflateStep is the minimum that is inflated at a time.
	inflateStep = 64 << 10
)

// packed reports whether a section is compressed.
func packed(s elf.SectionHeader, zdebug bool) bool {
	return zdebug || s.Flags&elf.SHF_COMPRESSED != 0
}

// inflater returns a reader of a compressed section's contents and their size as the file claims it, which is at most
// maxInflated and maxRatio times the compressed bytes. greedy reports whether the reader takes too much memory to be
// kept for long.
func (f *File) inflater(s elf.SectionHeader, zdebug bool) (r io.ReadCloser, size int64, greedy bool, err error) {
	src := io.NewSectionReader(f.r, int64(s.Offset), int64(s.FileSize))
	kind, n, err := f.compressionHeader(src, zdebug)
	if err != nil {
		return nil, 0, false, err
	}
	if n > maxInflated || n > s.FileSize*maxRatio {
		return nil, 0, false, fmt.Errorf("%w: %d bytes become %d", ErrTooLarge, s.FileSize, n)
	}
	switch kind {
	case elf.COMPRESS_ZLIB:
		r, err = newZlib(src, int64(s.FileSize))
	case elf.COMPRESS_ZSTD:
		var z *zstd.Decoder
		z, err = zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxZstdWindow))
		if err == nil {
			r = z.IOReadCloser()
		}
	default:
		err = fmt.Errorf("compression %v is not known", kind)
	}
	return r, int64(n), kind == elf.COMPRESS_ZSTD, err
}

// compressionHeader reads the header of a compressed section: Elf64_Chdr or Elf32_Chdr (gABI, "Section Compression"),
// or in a section of a name .zdebug_x "ZLIB" and a big-endian size.
func (f *File) compressionHeader(r io.Reader, zdebug bool) (kind elf.CompressionType, size uint64, err error) {
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

// newZlib returns a reader of a zlib stream (RFC 1950) of at most that many bytes. The checksum at its end is not
// verified: names are returned long before it is reached, and computing it would take a tenth of the time. A short
// stream is read whole, which makes the decompressor a quarter faster.
func newZlib(src io.Reader, size int64) (io.ReadCloser, error) {
	var in flate.Reader
	if size <= inMemory {
		all := make([]byte, size) // enough, since the header before the stream has been read
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

// inflate reads all of a compressed section; memory grows with the actual output, not with the claimed size.
func (f *File) inflate(s elf.SectionHeader, zdebug bool, limit int64) ([]byte, error) {
	r, size, _, err := f.inflater(s, zdebug)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if size > limit {
		return nil, fmt.Errorf("%w: %d bytes inflated, limit %d", ErrTooLarge, size, limit)
	}
	var buf bytes.Buffer
	buf.Grow(int(min(size, inMemory)) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(r, size))
	if err != nil {
		return nil, fmt.Errorf("inflate: %w", err)
	}
	if n != size {
		return nil, fmt.Errorf("inflate: %d bytes where the header says %d: %w", n, size, io.ErrUnexpectedEOF)
	}
	return buf.Bytes(), nil
}
