package corefile

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// made is a core of two rows, the second of a file, with two threads.
func made(change func(*elf.Header64, []elf.Prog64)) []byte {
	var notes bytes.Buffer
	note := func(typ uint32, d []byte) {
		for _, v := range []uint32{5, uint32(len(d)), typ} {
			binary.Write(&notes, binary.LittleEndian, v)
		}
		notes.WriteString("CORE\x00\x00\x00\x00")
		notes.Write(d)
		notes.Write(make([]byte, -len(d)&3))
	}
	for _, tid := range []uint32{77, 78} {
		d := make([]byte, 336)
		binary.LittleEndian.PutUint32(d[prstatusPID:], tid)
		binary.LittleEndian.PutUint64(d[prstatusRegs+8*regRSP:], 0x7000_0000+uint64(tid))
		binary.LittleEndian.PutUint64(d[prstatusRegs+8*regFSBase:], 0x7100_0000)
		note(ntPrstatus, d)
	}
	info := make([]byte, prpsinfoSize)
	binary.LittleEndian.PutUint32(info[prpsinfoPID:], 77)
	copy(info[prpsinfoName:], "server")
	copy(info[prpsinfoArgs:], "server -v ")
	note(ntPrpsinfo, info)
	words := func(w ...uint64) (b []byte) {
		for _, v := range w {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		return b
	}
	note(ntAuxv, words(AtEntry, 0x50_0010, AtRandom, 0x40_0010, 0, 0))
	note(ntFile, append(words(2, 4096, 0x50_0000, 0x50_2000, 3, 0x60_0000, 0x60_1000, 0), "/bin/server\x00/lib/lost.so\x00"...))

	progs := []elf.Prog64{
		{Type: uint32(elf.PT_NOTE), Off: 4096, Filesz: uint64(notes.Len())},
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Off: 8192, Vaddr: 0x40_0000, Filesz: 4096, Memsz: 0x10000},
		{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Off: 12288, Vaddr: 0x50_0000, Memsz: 0x2000},
	}
	h := elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_CORE), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(progs))}
	if change != nil {
		change(&h, progs)
	}
	var b bytes.Buffer
	binary.Write(&b, binary.LittleEndian, h)
	binary.Write(&b, binary.LittleEndian, progs)
	b.Write(make([]byte, 4096-b.Len()))
	b.Write(notes.Bytes())
	b.Write(make([]byte, 8192-b.Len()))
	b.Write(bytes.Repeat([]byte{7}, 4096))
	return b.Bytes()
}

func TestRead(t *testing.T) {
	b := made(nil)
	f, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if f.PID != 77 || f.Name != "server" || f.Command != "server -v" || f.Exe() != "/bin/server" || len(f.Lost) != 1 || f.Lost[0].Start != 0x60_0000 || f.Lost[0].File.Path != "/lib/lost.so" {
		t.Errorf("%+v", f)
	}
	if len(f.Threads) != 2 || f.Threads[1] != (Thread{78, 0x7000_0000 + 78, 0x7100_0000}) {
		t.Errorf("threads %+v", f.Threads)
	}
	want := []vm.Mapping{{Range: vm.RangeOf(0x40_0000, 0x10000), Perms: vm.Read | vm.Write},
		{Range: vm.RangeOf(0x50_0000, 0x2000), Perms: vm.Read | vm.Exec, Offset: 3 * 4096, File: vm.File{Path: "/bin/server"}}}
	if len(f.Rows) != 2 || f.Rows[0] != want[0] || f.Rows[1] != want[1] {
		t.Errorf("rows %v", f.Rows)
	}
	p := make([]byte, 3*vm.PageSize)
	if n := f.ReadPages(p, 0x40_0000); n != vm.PageSize || p[0] != 7 || p[4095] != 7 {
		t.Errorf("%d bytes, %d", n, p[0])
	}
	for r := range f.Resident(vm.Range{End: vm.AddressMax}) {
		if r != vm.RangeOf(0x40_0000, vm.PageSize) {
			t.Errorf("%v was written out", r)
		}
	}
}

// TestReadGDB: of a core of gdb's a row without a file that has nothing to read could not be accessed, and one that has could be read.
func TestReadGDB(t *testing.T) {
	for _, x := range []struct {
		owner string
		fill  byte
		want  vm.Perms
	}{{"GDB\x00", 0, 0}, {"GDB\x00", 7, vm.Read}, {"OWN\x00", 0, vm.Read}} {
		b := made(func(_ *elf.Header64, p []elf.Prog64) { p[1].Flags = uint32(elf.PF_R) })
		copy(b[8192:], bytes.Repeat([]byte{x.fill}, 4096))
		// The last note, of another owner and type.
		at := bytes.LastIndex(b, []byte("CORE\x00"))
		next := append([]byte{4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, x.owner...)
		binary.LittleEndian.PutUint64(b[64+32:], uint64(notesEnd(b, at)+len(next)-4096))
		copy(b[notesEnd(b, at):], next)
		f, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if f.Rows[0].Perms != x.want {
			t.Errorf("%q with %d: %v", x.owner, x.fill, f.Rows[0])
		}
	}
}

// notesEnd is where the note ends whose owner stands at at.
func notesEnd(b []byte, at int) int {
	return at + 8 + (int(binary.LittleEndian.Uint32(b[at-8:]))+3)&^3
}

// TestRefuses: what is no core, or not a whole one, is refused in words.
func TestRefuses(t *testing.T) {
	whole := made(nil)
	for want, b := range map[string][]byte{
		"no core file":                     []byte("#!/bin/sh\n"),
		"no core file: a program":          made(func(h *elf.Header64, _ []elf.Prog64) { h.Type = uint16(elf.ET_EXEC) }),
		"only cores of x86-64":             made(func(h *elf.Header64, _ []elf.Prog64) { h.Machine = uint16(elf.EM_AARCH64) }),
		"unpack it first (zstd -d)":        []byte("\x28\xb5\x2f\xfd and more"),
		"unpack it first (lz4 -d)":         []byte("\x04\x22\x4d\x18 and more"),
		"the core is cut: a segment":       whole[:len(whole)-1],
		"the core is cut: 3 program":       whole[:100],
		"the core is cut: 40000 program":   made(func(h *elf.Header64, _ []elf.Prog64) { h.Phnum = 40000 }),
		"the core is cut: its section":     made(func(h *elf.Header64, _ []elf.Prog64) { h.Phnum, h.Shoff = 0xffff, 1<<40 }),
		"overlap":                          made(func(_ *elf.Header64, p []elf.Prog64) { p[2].Vaddr = 0x40_1000 }),
		"a segment of 0xffffffffffff0000":  made(func(_ *elf.Header64, p []elf.Prog64) { p[1].Memsz = 1<<64 - 1<<16 }),
		"a core without any mapping":       made(func(_ *elf.Header64, p []elf.Prog64) { p[1].Memsz, p[1].Filesz, p[2].Memsz = 0, 0, 0 }),
		"notes of 4503599627370496 bytes":  nil,
		"program headers of an unknown le": made(func(h *elf.Header64, _ []elf.Prog64) { h.Phentsize = 1 }),
	} {
		size := int64(len(b))
		if b == nil {
			b, size = made(func(_ *elf.Header64, p []elf.Prog64) { p[0].Filesz = 1 << 52 }), 1<<60
		}
		if _, err := Read(bytes.NewReader(b), size); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// FuzzRead: whatever stands in the file, rows are in order and what is read is in them.
func FuzzRead(f *testing.F) {
	f.Add(made(nil))
	f.Add(made(func(h *elf.Header64, _ []elf.Prog64) { h.Phnum, h.Shoff = 0xffff, 4096 }))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		end := uint64(0)
		for _, r := range c.Rows {
			if r.Start < end || r.Empty() || (r.Start|r.End)%vm.PageSize != 0 {
				t.Fatalf("row %v behind %x", r, end)
			}
			end = r.End
		}
		page := make([]byte, vm.PageSize)
		n := 0
		for r := range c.Resident(vm.Range{End: vm.AddressMax}) {
			if c.row(r.Start) == nil || c.row(r.End-1) == nil {
				t.Fatalf("%v is in no row", r)
			}
			if c.ReadPages(page, r.Start) < 0 {
				t.Fatal("less than nothing was read")
			}
			if n++; n > 1000 {
				break
			}
		}
		_ = c.Exe()
	})
}
