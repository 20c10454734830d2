package unwind

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
)

// An image is a shared object made of a page of code, one of unwind entries and the search table for them,
// mapped at address 0 of its own.
const (
	imageText = 0x1000
	imageEH   = 0x2000
	imageHdr  = 0x4000
	imageSize = 0x5000
)

// Pointer encodings (LSB "DWARF Extensions").
const (
	encUdata4  = 0x03
	encSdata4  = 0x0b
	encPCRel   = 0x10
	encDataRel = 0x30
)

// imageEntry is one FDE to be: where it begins and how long it is, with its instructions.
type imageEntry struct {
	begin, size uint32
	program     []byte
}

// usualCIE: CFA = rsp+8, return address at CFA-8, as in every compiler's output.
var usualCIE = []byte{cfaDefCFA, RegRSP, 8, cfaOffset | RegRIP, 1}

// ehFrame writes the entries with one common entry, whose augmentation is given ("zR", "zRS").
func ehFrame(augmentation string, initial []byte, entries []imageEntry) (eh []byte, starts []uint32) {
	pad := func(b []byte) []byte {
		for len(b)%4 != 0 {
			b = append(b, cfaNop)
		}
		return b
	}
	entry := func(id uint32, body []byte) {
		body = pad(body)
		eh = binary.LittleEndian.AppendUint32(eh, uint32(len(body)+4))
		eh = binary.LittleEndian.AppendUint32(eh, id)
		eh = append(eh, body...)
	}
	// Version 1, code alignment 1, data alignment -8, column 16, pointers pc-relative in 4 bytes.
	body := append([]byte{1}, augmentation...)
	body = append(body, 0, 1, 0x78, RegRIP, 1, encPCRel|encSdata4)
	entry(0, append(body, initial...))
	for _, e := range entries {
		starts = append(starts, uint32(len(eh)))
		at := uint32(len(eh)) + 8
		body := binary.LittleEndian.AppendUint32(nil, e.begin-(imageEH+at))
		body = binary.LittleEndian.AppendUint32(body, e.size)
		body = append(body, 0)
		entry(at-4, append(body, e.program...))
	}
	return eh, starts
}

// image puts the parts together.
func image(text, eh []byte, entries []imageEntry, starts []uint32) []byte {
	le := binary.LittleEndian
	b := make([]byte, imageSize)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], uint16(elf.ET_DYN))
	le.PutUint16(b[18:], uint16(elf.EM_X86_64))
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 2)
	hdr := []byte{1, encPCRel | encSdata4, encUdata4, encDataRel | encSdata4, 0, 0, 0, 0}
	hdr = le.AppendUint32(hdr, uint32(len(entries)))
	for i, e := range entries {
		hdr = le.AppendUint32(hdr, e.begin-imageHdr)
		hdr = le.AppendUint32(hdr, imageEH+starts[i]-imageHdr)
	}
	for i, p := range []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Flags: 5, Filesz: imageSize, Memsz: imageSize, Align: 4096},
		{Type: uint32(elf.PT_GNU_EH_FRAME), Flags: 4, Off: imageHdr, Vaddr: imageHdr, Filesz: uint64(len(hdr)), Memsz: uint64(len(hdr))},
	} {
		var w bytes.Buffer
		binary.Write(&w, le, p)
		copy(b[64+56*i:], w.Bytes())
	}
	copy(b[imageText:imageEH], text)
	copy(b[imageEH:imageHdr], eh)
	copy(b[imageHdr:], hdr)
	return b
}

func openImage(t testing.TB, b []byte) *Module {
	t.Helper()
	f, err := elffile.Open(bytes.NewReader(b), int64(len(b)), "image")
	if err != nil {
		t.Fatal(err)
	}
	return NewModule(f)
}

// fixed is an address space with modules at fixed places, and memory.
type fixed struct {
	at      map[uint64]*Module // by address of the module's byte 0; each takes imageSize bytes
	memory  map[uint64][]byte
	asked   int // calls of CodeAt
	touched map[uint64]int
}

func (x *fixed) CodeAt(pc uint64) (*Module, uint64, bool) {
	x.asked++
	for base, m := range x.at {
		if pc >= base+imageText && pc < base+imageEH {
			if m.file == nil {
				return m, pc, true
			}
			return m, pc - base, true
		}
	}
	return nil, 0, false
}

func (x *fixed) ReadMemory(addr uint64, p []byte) int {
	if x.touched != nil {
		for page := addr / pageSize; page <= (addr+uint64(len(p))-1)/pageSize; page++ {
			x.touched[page]++
		}
	}
	for base, b := range x.memory {
		if addr >= base && addr < base+uint64(len(b)) {
			return copy(p, b[addr-base:])
		}
	}
	return 0
}

// words makes memory of 64-bit words.
func words(list ...uint64) []byte {
	var b []byte
	for _, w := range list {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}
