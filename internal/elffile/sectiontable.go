package elffile

import (
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// ErrNoSection is what SectionData returns, wrapped, if the file lacks the section or has only its header.
var ErrNoSection = errors.New("no such section")

// ErrTooLarge is what SectionData returns, wrapped, where a section is larger than its caller's limit.
var ErrTooLarge = errors.New("section too large")

// Section returns the header of the first section of that name. The table is read at the first call; a file whose
// table is missing or malformed has no sections. Size and Offset are as in the header: only SectionData checks them
// against the file.
func (f *File) Section(name string) (elf.SectionHeader, bool) {
	f.sectOnce.Do(f.readSections)
	i, ok := f.byName[name]
	if !ok {
		return elf.SectionHeader{}, false
	}
	return f.sections[i], true
}

// Sections returns all section headers, in the file's order. The slice is the File's own and must not be
// changed. The error says why there are none; a file without a table has none and no error.
func (f *File) Sections() ([]elf.SectionHeader, error) {
	f.sectOnce.Do(f.readSections)
	return f.sections, f.sectErr
}

// SectionData returns the contents of the section, decompressed (SHF_COMPRESSED with zlib or zstd; for a name
// ".debug_x" the older ".zdebug_x" too). Memory grows with the actual contents, and more than limit bytes are refused
// (ErrTooLarge). The caller owns the result. See OpenSection for large ones.
func (f *File) SectionData(name string, limit int64) ([]byte, error) {
	s, zdebug, err := f.findSection(name)
	var data []byte
	if err == nil {
		data, err = f.sectionData(s, zdebug, limit)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: section %s: %w", f.name, name, err)
	}
	return data, nil
}

// findSection finds a section by its name, or a ".debug_x" by the older name ".zdebug_x" of compressed ones.
func (f *File) findSection(name string) (s elf.SectionHeader, zdebug bool, err error) {
	s, ok := f.Section(name)
	if !ok && strings.HasPrefix(name, ".debug_") {
		s, ok = f.Section(".z" + name[1:])
		zdebug = ok
	}
	switch {
	case ok:
		return s, zdebug, nil
	case f.sectErr != nil:
		return s, false, fmt.Errorf("%w (%w)", ErrNoSection, f.sectErr)
	default:
		return s, false, ErrNoSection
	}
}

// Inside reports whether the bytes of a section lie within the file.
func (f *File) Inside(s elf.SectionHeader) bool {
	return s.Offset <= uint64(f.size) && s.FileSize <= uint64(f.size)-s.Offset
}

// checkSection returns why the section's bytes cannot be read, nil if they can.
func (f *File) checkSection(s elf.SectionHeader) error {
	switch {
	case s.Type == elf.SHT_NOBITS || s.Type == elf.SHT_NULL:
		return fmt.Errorf("%w: it has no bytes in this file", ErrNoSection)
	case !f.Inside(s):
		return fmt.Errorf("%d bytes at offset %#x lie outside the file of %d bytes", s.FileSize, s.Offset, f.size)
	}
	return nil
}

func (f *File) sectionData(s elf.SectionHeader, zdebug bool, limit int64) ([]byte, error) {
	if err := f.checkSection(s); err != nil {
		return nil, err
	}
	if packed(s, zdebug) {
		return f.inflate(s, zdebug, limit)
	}
	if limit < 0 || s.FileSize > uint64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, s.FileSize, limit)
	}
	b := make([]byte, s.FileSize)
	if err := f.readAt(b, s.Offset); err != nil {
		return nil, err
	}
	return b, nil
}

func (f *File) readSections() {
	if f.shnum == 0 {
		return
	}
	if f.shnum > maxSections {
		f.sectErr = fmt.Errorf("%d section headers", f.shnum)
		return
	}
	size := f.layout.shdr
	if f.shoff > uint64(f.size) || f.shnum*size > uint64(f.size)-f.shoff {
		f.sectErr = errors.New("the section headers lie outside the file")
		return
	}
	b := make([]byte, f.shnum*size)
	if err := f.readAt(b, f.shoff); err != nil {
		f.sectErr = fmt.Errorf("read the section headers: %w", err)
		return
	}
	le := binary.LittleEndian
	list := make([]elf.SectionHeader, f.shnum)
	nameAt := func(i int) uint32 { return le.Uint32(b[uint64(i)*size:]) }
	for i := range list {
		list[i] = f.layout.section(b[uint64(i)*size:])
		if list[i].Flags&elf.SHF_COMPRESSED != 0 {
			// debug/elf has the inflated size here, which would cost a read per section.
			list[i].Size = 0
		}
	}
	if f.shstrndx >= f.shnum {
		f.sectErr = fmt.Errorf("section %d of %d holds the names", f.shstrndx, f.shnum)
		return
	}
	names, err := f.sectionData(list[f.shstrndx], false, maxNames)
	if err != nil {
		f.sectErr = fmt.Errorf("read the section names: %w", err)
		return
	}
	text := string(names) // names are substrings of it, so a hostile table cannot multiply its memory
	f.byName = make(map[string]int, len(list))
	for i := range list {
		at := nameAt(i)
		if uint64(at) >= uint64(len(text)) {
			continue
		}
		// No known section has a longer name; the bound keeps overlapping names from making this quadratic.
		end := strings.IndexByte(text[at:min(len(text), int(at)+maxName)], 0)
		if end < 0 {
			continue
		}
		name := text[at : int(at)+end]
		list[i].Name = name
		if _, dup := f.byName[name]; !dup && list[i].Type != elf.SHT_NULL {
			f.byName[name] = i
		}
	}
	f.sections = list
}

const maxName = 256
