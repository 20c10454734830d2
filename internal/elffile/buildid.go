package elffile

import (
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Types of notes: NT_GNU_BUILD_ID of owner "GNU" (elf.h), and the Go linker's own (cmd/internal/buildid).
const (
	noteBuildID   = 3
	noteGoBuildID = 4
)

// BuildID returns the GNU build id in lower-case hex, "" where the file has none: from its PT_NOTE segments, else
// from the section .note.gnu.build-id (the segments of a separate debug file have no contents). Go's own build id, a
// note of owner "Go", is not returned.
func (f *File) BuildID() string {
	f.buildOnce.Do(func() { f.buildID = f.readBuildID() })
	return f.buildID
}

func (f *File) readBuildID() string {
	if id := f.findNote("GNU", noteBuildID); len(id) >= 2 && len(id) <= 64 {
		return hex.EncodeToString(id)
	}
	return ""
}

// GoBuildID returns the build id that the go command gives an executable: another one for each build of other source,
// flags or tools. "" where the file has none.
func (f *File) GoBuildID() string { return string(f.findNote("Go", noteGoBuildID)) }

// findNote returns the descriptor of the first note of that owner and type, nil where there is none.
func (f *File) findNote(owner string, typ uint32) []byte {
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
		if id := noteIn(b, p.Align, owner, typ); id != nil {
			return id
		}
	}
	s, ok := f.Section(".note.gnu.build-id")
	if !ok {
		return nil
	}
	b, err := f.SectionData(s.Name, maxNotes)
	if err != nil {
		return nil
	}
	return noteIn(b, s.Addralign, owner, typ)
}

// noteIn looks through notes (gABI "Note Section"): sizes of name and descriptor, a type, the two,
// padded to 4 bytes, or to 8 where the segment is so aligned.
func noteIn(b []byte, align uint64, owner string, typ uint32) []byte {
	if align != 8 {
		align = 4
	}
	pad := func(n uint64) uint64 { return (n + align - 1) &^ (align - 1) }
	le := binary.LittleEndian
	for len(b) >= 12 {
		namesz, descsz := uint64(le.Uint32(b)), uint64(le.Uint32(b[4:]))
		is := le.Uint32(b[8:])
		// The header is 12 bytes, so the descriptor's padding counts from the note's start.
		desc := pad(12 + namesz)
		next := pad(desc + descsz)
		if desc+descsz > uint64(len(b)) {
			return nil
		}
		if is == typ && strings.TrimRight(string(b[12:12+namesz]), "\x00") == owner {
			return b[desc : desc+descsz]
		}
		if next > uint64(len(b)) {
			return nil
		}
		b = b[next:]
	}
	return nil
}
