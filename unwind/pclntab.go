package unwind

import (
	"debug/elf"
	"encoding/binary"
	"strings"

	"github.com/vmblame/vmblame/internal/elffile"
)

// goTable is the function table of a Go program (.gopclntab), which the Go runtime itself unwinds by and
// which stripping leaves in place. It is read where it stands in the file. The layouts are those of Go 1.16
// to 1.26: runtime/symtab.go (pcHeader, moduledata) and runtime/runtime2.go (_func).
type goTable struct {
	nfunc   uint64
	text    uint64 // what function entries are relative to; 0 for Go 1.16, where they are absolute
	names   uint64 // virtual addresses of the parts
	pctab   uint64
	functab uint64
	word    uint64 // bytes of a functab field
	flagAt  uint64 // offset of _func.flag; 0 where it has none
}

// Magic numbers of internal/abi (symtab.go).
const (
	magicGo116 = 0xfffffffa
	magicGo118 = 0xfffffff0
	magicGo120 = 0xfffffff1
)

// goFunc is one function of the table.
type goFunc struct {
	entry uint64
	at    uint64 // virtual address of its _func
}

// goTable returns the module's table, nil if it is no Go program. m.mu is held.
func (m *Module) goTable() *goTable {
	if !m.opened.golang {
		m.opened.golang = true
		for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
			if s, ok := m.file.Section(name); ok && s.Flags&elf.SHF_ALLOC != 0 {
				m.golang = m.openGoTable(s.Addr)
				break
			}
		}
	}
	return m.golang
}

func (m *Module) openGoTable(at uint64) *goTable {
	b := m.bytes(at, 8+8*8)
	if b == nil || b[4] != 0 || b[5] != 0 || b[6] != 1 || b[7] != 8 {
		return nil
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8+8*i:]) }
	t := &goTable{nfunc: word(0)}
	switch binary.LittleEndian.Uint32(b) {
	case magicGo116:
		t.names, t.pctab, t.functab = at+word(2), at+word(5), at+word(6)
		t.word, t.flagAt = 8, 41
	case magicGo118:
		t.flagAt = 37
		fallthrough
	case magicGo120:
		if t.flagAt == 0 {
			t.flagAt = 41
		}
		t.names, t.pctab, t.functab = at+word(3), at+word(6), at+word(7)
		t.word = 4
		if t.text = word(2); t.text == 0 {
			t.text = m.goText(at)
		}
	default:
		return nil
	}
	if t.nfunc == 0 || t.nfunc > 1<<26 {
		return nil
	}
	return t
}

// goText finds the address of the symbol runtime.text where the table's header does not hold it: from Go
// 1.26 on it never does, and in a position independent program before only a relocation does.
func (m *Module) goText(pclntab uint64) uint64 {
	const headerText, moduleText = 8 + 2*8, 176 // offsets of pcHeader.textStart and moduledata.text
	places := []uint64{pclntab + headerText}
	if s, ok := m.file.Section(".go.module"); ok {
		places = append(places, s.Addr+moduleText)
		if b := m.bytes(s.Addr+moduleText, 8); b != nil {
			if v := binary.LittleEndian.Uint64(b); v != 0 {
				return v
			}
		}
	}
	if rela, err := m.file.SectionData(".rela.dyn", 64<<20); err == nil {
		for ; len(rela) >= 24; rela = rela[24:] {
			for _, p := range places {
				if binary.LittleEndian.Uint64(rela) == p {
					return binary.LittleEndian.Uint64(rela[16:]) // the addend of R_X86_64_RELATIVE
				}
			}
		}
	}
	return textSection(m.file)
}

func textSection(f *elffile.File) uint64 {
	s, _ := f.Section(".text")
	return s.Addr
}

// find returns the function that holds pc.
func (t *goTable) find(m *Module, pc uint64) (goFunc, bool) {
	field := func(i, half uint64) (uint64, bool) {
		b := m.bytes(t.functab+(2*i+half)*t.word, t.word)
		switch {
		case b == nil:
			return 0, false
		case t.word == 8:
			return binary.LittleEndian.Uint64(b), true
		default:
			return uint64(binary.LittleEndian.Uint32(b)), true
		}
	}
	rel := pc - t.text
	if pc < t.text {
		return goFunc{}, false
	}
	lo, hi := uint64(0), t.nfunc+1 // the last pair's first field is the end of the last function
	for lo < hi {
		mid := lo + (hi-lo)/2
		v, ok := field(mid, 0)
		if !ok {
			return goFunc{}, false
		}
		if v <= rel {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == 0 || lo > t.nfunc {
		return goFunc{}, false
	}
	entry, ok1 := field(lo-1, 0)
	off, ok2 := field(lo-1, 1)
	if !ok1 || !ok2 {
		return goFunc{}, false
	}
	return goFunc{entry: entry + t.text, at: t.functab + off}, true
}

func (t *goTable) u32(m *Module, at uint64) (uint32, bool) {
	b := m.bytes(at, 4)
	if b == nil {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

// name returns the function's name in the linker's form, without an ABI suffix; "" if it cannot be read.
func (t *goTable) name(m *Module, f goFunc) string {
	off, ok := t.u32(m, f.at+t.word)
	if !ok {
		return ""
	}
	var name []byte
	for at := t.names + uint64(off); len(name) < 64; at++ {
		b := m.bytes(at, 1)
		if b == nil || b[0] == 0 {
			break
		}
		name = append(name, b[0])
	}
	return strings.TrimSuffix(string(name), ".abi0")
}

// Bits of _func.flag (internal/abi/symtab.go, from Go 1.17 on).
const (
	goTopFrame = 1 // the outermost function of a stack
	goSPWrite  = 2 // it sets SP to something that is not SP plus a constant
)

func (t *goTable) flags(m *Module, f goFunc) uint8 {
	b := m.bytes(f.at+t.flagAt, 1)
	if b == nil {
		return 0
	}
	return b[0]
}

// stackSize returns how many bytes of frame lie between rsp and the return address at pc: the value of the
// function's pcsp table (runtime/symtab.go, pcvalue and step).
func (t *goTable) stackSize(m *Module, f goFunc, pc uint64) (int32, bool) {
	off, ok := t.u32(m, f.at+t.word+12)
	if !ok || off == 0 {
		return 0, false
	}
	at := t.pctab + uint64(off)
	varint := func() (v uint32, ok bool) {
		for shift := 0; shift < 35; shift += 7 {
			b := m.bytes(at, 1)
			if b == nil {
				return 0, false
			}
			at++
			v |= uint32(b[0]&0x7f) << shift
			if b[0]&0x80 == 0 {
				return v, true
			}
		}
		return 0, false
	}
	value := int32(-1)
	end := f.entry
	for i := 0; i < 1<<16; i++ {
		dv, ok := varint()
		if !ok || dv == 0 && i > 0 {
			return 0, false
		}
		value += int32(dv>>1) ^ -int32(dv&1)
		dpc, ok := varint()
		if !ok {
			return 0, false
		}
		if end += uint64(dpc); pc < end {
			return value, value >= 0 && value%8 == 0
		}
	}
	return 0, false
}
