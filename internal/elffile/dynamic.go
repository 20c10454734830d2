package elffile

import (
	"debug/elf"
	"encoding/binary"
)

// maxDynamic bounds the entries of a dynamic section that are read, maxChain the symbols of one hash value that are
// looked at.
const (
	maxDynamic = 1 << 10
	maxChain   = 1 << 12
)

// Dynamic is what the dynamic section of a 64-bit file tells the dynamic loader. It needs no section headers. It is for one
// goroutine at a time.
type Dynamic struct {
	soname string
	needed []uint64 // places in the string table
	mem    *Segments
	at     map[elf.DynTag]uint64
}

// Dynamic reads the dynamic section; a file without one exports nothing and has no name.
func (f *File) Dynamic() *Dynamic {
	d := &Dynamic{mem: NewSegments(f), at: map[elf.DynTag]uint64{}}
	if f.Class() != elf.ELFCLASS64 {
		return d
	}
	for _, p := range f.progs {
		if p.Type != elf.PT_DYNAMIC {
			continue
		}
		for i := range min(p.Filesz/16, maxDynamic) {
			b := d.mem.Bytes(p.Vaddr+16*i, 16)
			if b == nil || elf.DynTag(binary.LittleEndian.Uint64(b)) == elf.DT_NULL {
				break
			}
			tag, value := elf.DynTag(binary.LittleEndian.Uint64(b)), binary.LittleEndian.Uint64(b[8:])
			if tag == elf.DT_NEEDED {
				d.needed = append(d.needed, value)
			}
			d.at[tag] = value
		}
		break
	}
	if name, ok := d.at[elf.DT_SONAME]; ok {
		d.soname = d.text(name)
	}
	return d
}

// dfPIE is DF_1_PIE of DT_FLAGS_1: the file is an executable that may lie anywhere.
const dfPIE = 0x08000000

// IsProgram reports whether the file is an executable, which the kernel starts: one of fixed addresses, one that
// names its interpreter, one that says so. Libraries that can be started too (glibc's C library) are.
func (f *File) IsProgram() bool {
	if f.typ == elf.ET_EXEC {
		return true
	}
	for _, p := range f.progs {
		if p.Type == elf.PT_INTERP {
			return true
		}
	}
	return f.Dynamic().at[elf.DT_FLAGS_1]&dfPIE != 0
}

// SOName is the name that the file gives itself as a library, "" for none.
func (d *Dynamic) SOName() string { return d.soname }

// Needed are the names of the libraries that the file is linked to.
func (d *Dynamic) Needed() []string {
	names := make([]string, len(d.needed))
	for i, at := range d.needed {
		names[i] = d.text(at)
	}
	return names
}

// Exports reports whether the file defines a dynamic symbol of that name, of whatever version.
func (d *Dynamic) Exports(name string) bool {
	_, defined := d.Symbol(name)
	return defined
}

// Indexed reports whether the file has a table to look symbols up by. Without one Symbol finds none.
func (d *Dynamic) Indexed() bool { return d.at[elf.DT_GNU_HASH] != 0 || d.at[elf.DT_HASH] != 0 }

// Symbol returns the value of a dynamic symbol that the file defines, of whatever version. Only what the lookup needs is read.
func (d *Dynamic) Symbol(name string) (value uint64, defined bool) {
	if at := d.at[elf.DT_GNU_HASH]; at != 0 {
		return d.gnuHashed(at, name)
	}
	if at := d.at[elf.DT_HASH]; at != 0 {
		return d.hashed(at, name)
	}
	return 0, false
}

// text is a string of the dynamic string table.
func (d *Dynamic) text(at uint64) string {
	table, size := d.at[elf.DT_STRTAB], d.at[elf.DT_STRSZ]
	if at >= size {
		return ""
	}
	return d.mem.String(table+at, table+size)
}

// word reads an unsigned number of 4 bytes, 0 where there is none.
func (d *Dynamic) word(at uint64) uint64 {
	if b := d.mem.Bytes(at, 4); b != nil {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// defines reports whether dynamic symbol i has that name and is defined here, and returns its value.
func (d *Dynamic) defines(i uint64, name string) (value uint64, defined bool) {
	b := d.mem.Bytes(d.at[elf.DT_SYMTAB]+i*elf.Sym64Size, elf.Sym64Size)
	if b == nil {
		return 0, false
	}
	le := binary.LittleEndian
	return le.Uint64(b[8:]), elf.SectionIndex(le.Uint16(b[6:])) != elf.SHN_UNDEF && d.text(uint64(le.Uint32(b))) == name
}

// gnuHashed looks a name up in the table of DT_GNU_HASH (glibc elf/dl-lookup.c, do_lookup_x): its header, a Bloom
// filter, which tells of most names that there is no such symbol, buckets, and the hashes of all symbols, of which the last of a
// bucket is odd.
func (d *Dynamic) gnuHashed(table uint64, name string) (value uint64, defined bool) {
	hash := uint32(5381)
	for i := range len(name) {
		hash = hash*33 + uint32(name[i])
	}
	buckets, first, words, shift := d.word(table), d.word(table+4), d.word(table+8), d.word(table+12)
	if buckets == 0 || words == 0 {
		return 0, false
	}
	bloom := d.mem.Bytes(table+16+uint64(hash)/64%words*8, 8)
	if bloom == nil {
		return 0, false
	}
	if w := binary.LittleEndian.Uint64(bloom); w>>(hash%64)&1 == 0 || w>>(hash>>(shift%32)%64)&1 == 0 {
		return 0, false
	}
	at := table + 16 + words*8
	i := d.word(at + uint64(hash)%buckets*4)
	for n := 0; i >= first && i != 0 && n < maxChain; i, n = i+1, n+1 {
		h := d.word(at + (buckets+i-first)*4)
		if uint32(h)|1 == hash|1 {
			if value, defined = d.defines(i, name); defined {
				return value, true
			}
		}
		if h&1 != 0 {
			break
		}
	}
	return 0, false
}

// hashed looks a name up in the table of DT_HASH (gABI, "Hash Table"): the numbers of buckets and of symbols, the
// buckets, and for each symbol the next one of its bucket.
func (d *Dynamic) hashed(table uint64, name string) (value uint64, defined bool) {
	var hash uint32
	for i := range len(name) {
		hash = hash<<4 + uint32(name[i])
		high := hash & 0xf0000000
		hash = (hash ^ high>>24) &^ high
	}
	buckets := d.word(table)
	if buckets == 0 {
		return 0, false
	}
	i := d.word(table + 8 + uint64(hash)%buckets*4)
	for n := 0; i != 0 && n < maxChain; i, n = d.word(table+8+(buckets+i)*4), n+1 {
		if value, defined = d.defines(i, name); defined {
			return value, true
		}
	}
	return 0, false
}
