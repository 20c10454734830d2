package elffile

import (
	"bytes"
	"io"

	"github.com/ulikunitz/xz"
)

// maxMiniDebugInfo bounds .gnu_debugdata, packed and unpacked: it holds a .symtab and little else.
const maxMiniDebugInfo = 64 << 20

// MiniDebugInfo opens .gnu_debugdata, an xz-compressed ELF file with a .symtab of the functions that .dynsym
// lacks (gdb manual, "MiniDebugInfo"; Fedora's binaries have it). It is held in memory and need not be closed.
func (f *File) MiniDebugInfo() (*File, error) {
	packed, err := f.SectionData(".gnu_debugdata", maxMiniDebugInfo)
	if err != nil {
		return nil, err
	}
	return unpackMiniDebugInfo(packed, f.name)
}

// unpackMiniDebugInfo opens an xz-compressed ELF file of that name.
func unpackMiniDebugInfo(packed []byte, name string) (*File, error) {
	if !smallDictionary(packed) {
		return nil, ErrTooLarge
	}
	r, err := xz.ReaderConfig{SingleStream: true}.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxMiniDebugInfo))
	if err != nil {
		return nil, err
	}
	return Open(bytes.NewReader(data), int64(len(data)), name)
}

// smallDictionary reports whether the first block of an xz stream asks for a dictionary of at most 64 MiB,
// which is what the strongest preset of xz uses (The .xz File Format, 3.1 and 5.3.1): the reader allocates
// what the file asks for, up to 4 GiB.
func smallDictionary(b []byte) bool {
	const header, lzma2, size64M = 12, 0x21, 28
	if len(b) < header+8 || b[header+1]&0x03 != 0 { // one filter
		return false
	}
	i := header + 2
	for _, has := range []bool{b[header+1]&0x40 != 0, b[header+1]&0x80 != 0} { // sizes, as varints
		for has && i < len(b)-3 && b[i]&0x80 != 0 {
			i++
		}
		if has {
			i++
		}
	}
	return i+2 < len(b) && b[i] == lzma2 && b[i+1] == 1 && b[i+2] <= size64M
}
