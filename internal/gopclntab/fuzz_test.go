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

// FuzzModuleData looks for the module's data in sections of any bytes.
func FuzzModuleData(f *testing.F) {
	le := binary.LittleEndian
	words := make([]byte, 8*moduleWords)
	for i, v := range map[int]uint64{0: tableAt, wordFuncnametab: tableAt + 8, 2: 100, 3: 100, wordText: 0x1000, wordGofunc: 0x2000} {
		le.PutUint64(words[8*i:], v)
	}
	rela := le.AppendUint64(le.AppendUint64(le.AppendUint64(nil, tableAt+0x1000), 8), tableAt)
	f.Add(words, []byte{}, false)
	f.Add(words, rela, true)
	f.Fuzz(func(t *testing.T, data, rela []byte, pie bool) {
		m := moduleData{f: sectioned(t, data, rela, pie), table: tableAt, word: 8}
		if m.find(); m.found && (m.words[0] != tableAt || m.words[wordText] == 0) {
			t.Fatalf("%x", m.words)
		}
	})
}

// sectioned is a file with data as .noptrdata, mapped at tableAt+0x1000, and rela as .rela.dyn.
func sectioned(t testing.TB, data, rela []byte, pie bool) *elffile.File {
	t.Helper()
	le := binary.LittleEndian
	const names = "\x00.noptrdata\x00.rela.dyn\x00.shstrtab\x00"
	parts := [][]byte{nil, data, rela, []byte(names)}
	headers := []elf.Section64{{}, {Name: 1, Type: uint32(elf.SHT_PROGBITS), Flags: uint64(elf.SHF_ALLOC), Addr: tableAt + 0x1000},
		{Name: 12, Type: uint32(elf.SHT_RELA)}, {Name: 22, Type: uint32(elf.SHT_STRTAB)}}
	b := make([]byte, 64+56)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], uint16(elf.ET_EXEC))
	if pie {
		le.PutUint16(b[16:], uint16(elf.ET_DYN))
	}
	le.PutUint16(b[18:], uint16(elf.EM_X86_64))
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], uint16(len(headers)))
	le.PutUint16(b[62:], uint16(len(headers)-1))
	for i := range headers {
		headers[i].Off, headers[i].Size = uint64(len(b)), uint64(len(parts[i]))
		b = append(b, parts[i]...)
	}
	var prog, table bytes.Buffer
	binary.Write(&prog, le, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 6, Off: headers[1].Off, Vaddr: tableAt + 0x1000,
		Filesz: uint64(len(data)), Memsz: uint64(len(data)), Align: 8})
	binary.Write(&table, le, headers)
	copy(b[64:], prog.Bytes())
	le.PutUint64(b[40:], uint64(len(b)))
	b = append(b, table.Bytes()...)
	f, err := elffile.Open(bytes.NewReader(b), int64(len(b)), "sectioned")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestModuleData finds it in the data, and in that of a position independent program by its relocations.
func TestModuleData(t *testing.T) {
	le := binary.LittleEndian
	words := make([]byte, 16+8*moduleWords)
	for i, v := range map[int]uint64{2: tableAt, 2 + wordFuncnametab: tableAt + 8, 4: 100, 5: 100, 2 + wordText: 0x1000} {
		le.PutUint64(words[8*i:], v)
	}
	for _, pie := range []bool{false, true} {
		var rela []byte
		if pie { // what the loader writes is not there yet
			for _, i := range []int{2, 2 + wordFuncnametab, 2 + wordText} {
				rela = le.AppendUint64(rela, tableAt+0x1000+8*uint64(i))
				rela = le.AppendUint64(rela, 8)
				rela = append(rela, words[8*i:8*i+8]...)
				clear(words[8*i : 8*i+8])
			}
		}
		m := moduleData{f: sectioned(t, words, rela, pie), table: tableAt, word: 8}
		if m.find(); !m.found || m.words[wordText] != 0x1000 {
			t.Errorf("position independent %v: %+v", pie, m.words)
		}
	}
}
