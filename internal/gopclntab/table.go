package gopclntab

import (
	"debug/elf"
	"encoding/binary"

	"github.com/vmblame/vmblame/internal/elffile"
)

// Table is the function table of one Go program. It is for one goroutine at a time.
type Table struct {
	f          *elffile.File
	mem        *elffile.Segments
	start, end uint64 // addresses of the section
	version    version
	ptr        int    // bytes of a pointer
	nfunc      uint64 // functions
	text       uint64 // runtime.text, which function entries are relative to; 0 for Go 1.16, where they are absolute
	word       uint64 // bytes of a field of functab

	names, units, files, pctab, functab uint64 // addresses of the parts

	module *moduleData // nil until it is looked for
}

type version uint8

const (
	go116 version = iota // 1.16, 1.17
	go118                // 1.18, 1.19
	go120                // from 1.20 on
)

// Magic numbers of internal/abi/symtab.go.
const (
	magicGo116 = 0xfffffffa
	magicGo118 = 0xfffffff0
	magicGo120 = 0xfffffff1
)

// maxFuncs bounds the number of functions that a header may claim.
const maxFuncs = 1 << 26

// Section returns the section that holds a file's table; ok is false if it is not a Go program.
func Section(f *elffile.File) (s elf.SectionHeader, ok bool) {
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		if s, ok := f.Section(name); ok && s.Flags&elf.SHF_ALLOC != 0 {
			return s, true
		}
	}
	return s, false
}

// Open returns the table of a Go program, nil if there is none of a known layout. The Table reads the file through
// mem.
func Open(f *elffile.File, mem *elffile.Segments) *Table {
	s, ok := Section(f)
	if !ok {
		return nil
	}
	return OpenAt(f, mem, s.Addr, s.Addr+s.Size)
}

// OpenAt returns the table that lies at [start, end), as Open.
func OpenAt(f *elffile.File, mem *elffile.Segments, start, end uint64) *Table {
	t := &Table{f: f, mem: mem, start: start, end: end}
	if end < start || !t.readHeader() {
		return nil
	}
	return t
}

// PointerSize is how many bytes a pointer of the program has.
func (t *Table) PointerSize() int { return t.ptr }

// readHeader reads the table's header (pcHeader of runtime/symtab.go) and reports whether it is valid.
func (t *Table) readHeader() bool {
	c := t.mem.Cursor(t.start, t.end)
	magic := c.U32()
	c.U16()
	quantum, ptr := c.U8(), c.U8()
	if quantum != 1 || ptr != 8 && ptr != 4 {
		return false
	}
	t.ptr = int(ptr)
	word := func() uint64 { return c.Uint(t.ptr) }
	t.nfunc = word()
	word() // the number of files
	t.word = 4
	switch magic {
	case magicGo116:
		t.version, t.word = go116, uint64(ptr)
	case magicGo118:
		t.version, t.text = go118, word()
	case magicGo120:
		t.version, t.text = go120, word()
	default:
		return false
	}
	for _, part := range []*uint64{&t.names, &t.units, &t.files, &t.pctab, &t.functab} {
		off := word()
		if off > t.end-t.start {
			return false
		}
		*part = t.start + off
	}
	if c.Bad() || t.nfunc == 0 || t.nfunc > maxFuncs || t.nfunc > (t.end-t.functab)/(2*t.word) {
		return false
	}
	if t.version > go116 && t.text == 0 {
		t.text = t.textStart()
	}
	return true
}

// textStart finds runtime.text if the header lacks it: since Go 1.26 it always does, and before that in position
// independent programs, where only a relocation has it.
func (t *Table) textStart() uint64 {
	if m := t.moduleData(); m.found {
		return m.words[wordText]
	}
	s, _ := t.f.Section(".text")
	return s.Addr
}

// A Func is one function: the runtime's _func.
type Func struct {
	Entry uint64 // address of its first instruction

	name, pcsp, pcfile, pcln, unit uint32
	npcdata                        uint32
	flag, nfuncdata                uint8
	pcdata, funcdata               uint64 // addresses
}

// Bits of Func.Flag (internal/abi/symtab.go, from Go 1.17 on).
const (
	TopFrame = 1 // the outermost function of a stack
	SPWrite  = 2 // it sets SP to something other than SP plus a constant
)

// Flag returns the bits TopFrame and SPWrite.
func (f *Func) Flag() uint8 { return f.flag }

// Find returns the function that contains pc, padding after it included.
func (t *Table) Find(pc uint64) (fn Func, ok bool) {
	if pc < t.text {
		return fn, false
	}
	rel := pc - t.text
	lo, hi := uint64(0), t.nfunc+1 // the last entry is the end of the last function
	for lo < hi {
		mid := lo + (hi-lo)/2
		v, ok := t.functabField(2 * mid)
		if !ok {
			return fn, false
		}
		if v <= rel {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 || lo > t.nfunc {
		return fn, false
	}
	entry, ok1 := t.functabField(2*lo - 2)
	off, ok2 := t.functabField(2*lo - 1)
	if !ok1 || !ok2 || off > t.end-t.functab {
		return fn, false
	}
	fn.Entry = t.text + entry
	c := t.mem.Cursor(t.functab+off, t.end)
	same := c.Uint(int(t.word)) == entry
	fn.name = c.U32()
	c.Skip(8) // args, deferreturn
	fn.pcsp, fn.pcfile, fn.pcln, fn.npcdata, fn.unit = c.U32(), c.U32(), c.U32(), c.U32(), c.U32()
	if t.version >= go120 {
		c.U32() // startLine
	}
	c.U8() // funcID
	fn.flag = c.U8()
	c.U8() // padding
	fn.nfuncdata = c.U8()
	fn.pcdata = uint64(c.Pos())
	fn.funcdata = fn.pcdata + 4*uint64(fn.npcdata)
	return fn, same && !c.Bad()
}

func (t *Table) functabField(i uint64) (uint64, bool) {
	at := t.functab + i*t.word
	b := t.mem.Bytes(at, t.word)
	switch {
	case b == nil || at+t.word > t.end:
		return 0, false
	case t.word == 8:
		return binary.LittleEndian.Uint64(b), true
	default:
		return uint64(binary.LittleEndian.Uint32(b)), true
	}
}

// Name is the function's name in the linker's form; "" if it cannot be read.
func (t *Table) Name(fn *Func) string { return t.mem.String(t.names+uint64(fn.name), t.end) }

// StackSize returns how many bytes of frame lie between rsp and the return address at pc (the pcsp table).
func (t *Table) StackSize(fn *Func, pc uint64) (int32, bool) {
	v, ok := t.value(fn, fn.pcsp, pc)
	return v, ok && v >= 0 && int(v)%t.ptr == 0
}

const maxPCValues = 1 << 20 // steps of one pc-value table

// value looks pc up in the pc-value table at off: a sequence of differences of value and of pc (runtime/symtab.go,
// pcvalue and step).
func (t *Table) value(fn *Func, off uint32, pc uint64) (int32, bool) {
	if off == 0 {
		return 0, false
	}
	c := t.mem.Cursor(t.pctab+uint64(off), t.end)
	value, end := int32(-1), fn.Entry
	for i := 0; i < maxPCValues && c.More(); i++ {
		d := uint32(c.Uleb())
		if d == 0 && i > 0 {
			break
		}
		value += int32(d>>1) ^ -int32(d&1)
		end += c.Uleb()
		if pc < end && !c.Bad() {
			return value, true
		}
	}
	return 0, false
}
