package gopclntab

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
)

const tableAt = 0x10000

// image is an ELF file that maps data at tableAt and nothing else.
func image(t testing.TB, data []byte) *elffile.File {
	t.Helper()
	le := binary.LittleEndian
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], uint16(elf.ET_EXEC))
	le.PutUint16(b[18:], uint16(elf.EM_X86_64))
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	var w bytes.Buffer
	binary.Write(&w, le, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 5, Off: uint64(len(b)), Vaddr: tableAt,
		Filesz: uint64(len(data)), Memsz: uint64(len(data)), Align: 8})
	copy(b[64:], w.Bytes())
	b = append(b, data...)
	f, err := elffile.Open(bytes.NewReader(b), int64(len(b)), "image")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// FuzzTable asks a table of any bytes for names and stack sizes.
func FuzzTable(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, text, gofunc uint64) {
		file := image(t, data)
		p := OpenAt(file, elffile.NewSegments(file), tableAt, tableAt+uint64(len(data)))
		if p == nil {
			return
		}
		p.text = text
		p.module = &moduleData{found: true}
		p.module.words[wordGofunc] = gofunc
		for i := range uint64(64) {
			pc := text + i*i*i
			calls, _ := p.Calls(pc)
			for k, c := range calls {
				if c.Function == "" || c.Inlined != (k < len(calls)-1) {
					t.Fatalf("%+v", calls)
				}
			}
			if fn, ok := p.Find(pc); ok {
				if size, ok := p.StackSize(&fn, pc); ok && size < 0 {
					t.Fatalf("a stack of %d bytes", size)
				}
			}
		}
	})
}
