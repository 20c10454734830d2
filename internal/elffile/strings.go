package elffile

import (
	"bytes"
	"debug/elf"
	"io"
)

// MaxName bounds a string read from a file, in bytes; longer ones are cut.
const MaxName = 64 << 10

// Strings is a section of zero-terminated strings (gABI, "String Table"), read one by one from the file.
type Strings struct {
	r        io.ReaderAt
	off, end int64
}

// Strings returns the strings of a section, which must lie within the file (Inside).
func (f *File) Strings(s elf.SectionHeader) Strings {
	return Strings{f.r, int64(s.Offset), int64(s.Offset + s.FileSize)}
}

// At returns the string that begins n bytes into the section, "" where there is none.
func (t Strings) At(n uint32) string { return readString(t.r, t.off+int64(n), t.end) }

// readString reads the zero-terminated string at off, which ends before end at the latest.
func readString(r io.ReaderAt, off, end int64) string {
	var out []byte
	var buf [128]byte
	for off < end && len(out) < MaxName {
		b := buf[:min(int64(len(buf)), end-off)]
		n, _ := r.ReadAt(b, off)
		if n <= 0 {
			break
		}
		if i := bytes.IndexByte(b[:n], 0); i >= 0 {
			return string(append(out, b[:i]...))
		}
		out = append(out, b[:n]...)
		off += int64(n)
	}
	return string(out)
}
