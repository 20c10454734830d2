package elffile

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
)

// noteBuildID is NT_GNU_BUILD_ID (elf.h).
const noteBuildID = 3

// BuildID returns the GNU build id in lower-case hex, "" where the file has none: from its PT_NOTE segments,
// else from the section .note.gnu.build-id (a separate debug file's segments point nowhere). Go's own build
// id, a note of owner "Go", is another thing and is not returned.
func (f *File) BuildID() string {
	f.buildOnce.Do(func() { f.buildID = f.readBuildID() })
	return f.buildID
}

func (f *File) readBuildID() string {
	read := 0
	for i := range f.progs {
		p := &f.progs[i]
		if p.Type != elf.PT_NOTE || p.Filesz == 0 || p.Off > uint64(f.size) {
			continue
		}
		if read++; read > 16 {
			break
		}
		b := make([]byte, min(p.Filesz, maxNotes, uint64(f.size)-p.Off))
		if f.readAt(b, p.Off) != nil {
			continue
		}
		if id := gnuBuildID(b, p.Align); id != "" {
			return id
		}
	}
	s, ok := f.Section(".note.gnu.build-id")
	if !ok {
		return ""
	}
	b, err := f.SectionData(s.Name, maxNotes)
	if err != nil {
		return ""
	}
	return gnuBuildID(b, s.Addralign)
}

// gnuBuildID looks through notes (gABI "Note Section"): sizes of name and descriptor, a type, the two,
// padded to 4 bytes, or to 8 where the segment is so aligned.
func gnuBuildID(b []byte, align uint64) string {
	if align != 8 {
		align = 4
	}
	pad := func(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }
	le := binary.LittleEndian
	for len(b) >= 12 {
		namesz, descsz := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:]))
		typ := le.Uint32(b[8:])
		// The header is 12 bytes, so the descriptor's padding counts from the note's start.
		desc := pad(12 + namesz)
		next := pad(desc + descsz)
		if desc+descsz > uint64(len(b)) {
			return ""
		}
		if typ == noteBuildID && namesz == 4 && string(b[12:16]) == "GNU\x00" && descsz >= 2 && descsz <= 64 {
			return hex.EncodeToString(b[desc : desc+descsz])
		}
		if next > uint64(len(b)) {
			return ""
		}
		b = b[next:]
	}
	return ""
}
