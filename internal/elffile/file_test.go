package elffile

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/vmblame/vmblame/internal/openfile"
	"github.com/vmblame/vmblame/internal/testenv"
)

// build compiles a small program with the host's gcc.
func build(t *testing.T, src string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	c := filepath.Join(dir, "prog.c")
	if err := os.WriteFile(c, []byte(src), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "prog")
	run(t, "gcc", append([]string{"-o", out, c}, args...)...)
	return out
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	testenv.Need(t, name)
	if b, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, b)
	}
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := OpenPath(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

const program = "#include <stdio.h>\nint table[3]={1,2,3}; int zero[5000];\nint main(void){return printf(\"%d%d\",table[0],zero[7]);}\n"

// TestAgainstDebugELF holds every header and section of a fresh binary against the standard library.
func TestAgainstDebugELF(t *testing.T) {
	path := build(t, program, "-g", "-gz=none", "-Wl,--build-id=0x0123456789abcdefAB")
	want, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	f := open(t, path)
	if f.Entry() != want.Entry || f.Type() != want.Type {
		t.Errorf("entry %#x type %v, want %#x %v", f.Entry(), f.Type(), want.Entry, want.Type)
	}
	if f.BuildID() != "0123456789abcdefab" {
		t.Errorf("build id %q", f.BuildID())
	}
	if len(f.Progs()) != len(want.Progs) {
		t.Fatalf("%d program headers, want %d", len(f.Progs()), len(want.Progs))
	}
	for i, p := range want.Progs {
		if f.Progs()[i] != p.ProgHeader {
			t.Errorf("program header %d: %+v, want %+v", i, f.Progs()[i], p.ProgHeader)
		}
	}
	list, err := f.Sections()
	if err != nil || len(list) != len(want.Sections) {
		t.Fatalf("%d sections (%v), want %d", len(list), err, len(want.Sections))
	}
	for i, s := range want.Sections {
		if list[i] != s.SectionHeader {
			t.Errorf("section %d: %+v, want %+v", i, list[i], s.SectionHeader)
		}
		if s.Type == elf.SHT_NULL || s.Type == elf.SHT_NOBITS {
			continue
		}
		b, err := f.SectionData(s.Name, 1<<20)
		data, err2 := s.Data()
		if err != nil || err2 != nil || !bytes.Equal(b, data) {
			t.Errorf("section %s: %d bytes (%v), want %d (%v)", s.Name, len(b), err, len(data), err2)
		}
		if s.Flags&elf.SHF_ALLOC != 0 {
			p := make([]byte, s.Size)
			if n, err := f.ReadVaddr(p, s.Addr); n != len(p) || err != nil || !bytes.Equal(p, data) {
				t.Errorf("ReadVaddr of %s: %d, %v", s.Name, n, err)
			}
			if v, ok := f.VaddrOf(s.Offset); !ok || (v != s.Addr && s.Flags&elf.SHF_EXECINSTR != 0) {
				t.Errorf("VaddrOf(%#x) of %s = %#x, want %#x", s.Offset, s.Name, v, s.Addr)
			}
		}
	}
	if _, err := f.SectionData(".bss", 1<<20); !errors.Is(err, ErrNoSection) {
		t.Errorf("SectionData(.bss): %v", err)
	}
	if _, err := f.SectionData(".text", 3); !errors.Is(err, ErrTooLarge) {
		t.Errorf("SectionData(.text, 3): %v", err)
	}
	bss, _ := f.Section(".bss")
	p := bytes.Repeat([]byte{1}, 64)
	if n, err := f.ReadVaddr(p, bss.Addr+bss.Size-32); n != 32 || err == nil || !bytes.Equal(p[:32], make([]byte, 32)) {
		t.Errorf("ReadVaddr at the end of .bss: %d, %v, % x", n, err, p[:32])
	}
}

// TestVaddrOfWholePages translates the offsets that /proc/PID/maps shows: those of whole pages.
func TestVaddrOfWholePages(t *testing.T) {
	f := &File{progs: []elf.ProgHeader{
		{Type: elf.PT_LOAD, Flags: elf.PF_R, Off: 0, Vaddr: 0x400000, Filesz: 0x780},
		{Type: elf.PT_LOAD, Flags: elf.PF_R | elf.PF_X, Off: 0x780, Vaddr: 0x401780, Filesz: 0x1900},
		{Type: elf.PT_LOAD, Flags: elf.PF_R | elf.PF_W, Off: 0x2080, Vaddr: 0x404080, Filesz: 0x100},
	}}
	for _, c := range []struct{ off, want uint64 }{
		{0x780, 0x401780},
		{0x1000, 0x402000},
		{0x0, 0x401000},    // page 0 is mapped by the code segment too, and code goes first
		{0x2fff, 0x403fff}, // last page of the code segment, past its bytes
	} {
		if got, ok := f.VaddrOf(c.off); !ok || got != c.want {
			t.Errorf("VaddrOf(%#x) = %#x, %v, want %#x", c.off, got, ok, c.want)
		}
	}
	if _, ok := f.VaddrOf(0x3000); ok {
		t.Error("VaddrOf past every segment")
	}
}

func TestCompressedSections(t *testing.T) {
	plain := build(t, program, "-g", "-gz=none")
	want, err := open(t, plain).SectionData(".debug_str", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"zlib", "zlib-gnu", "zstd"} {
		out := plain + "." + how
		run(t, "objcopy", "--compress-debug-sections="+how, plain, out)
		f := open(t, out)
		got, err := f.SectionData(".debug_str", int64(len(want)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes (%v), want %d", how, len(got), err, len(want))
		}
		if _, err := f.SectionData(".debug_str", int64(len(want))-1); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s over its limit: %v", how, err)
		}
	}
}

func TestDebugFile(t *testing.T) {
	path := build(t, program, "-g")
	dir := t.TempDir()
	debug := filepath.Join(filepath.Dir(path), "prog.debug")
	run(t, "objcopy", "--only-keep-debug", path, debug)
	run(t, "objcopy", "--strip-all", "--add-gnu-debuglink="+debug, path)
	id := open(t, path).BuildID()
	place := func(to string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(debug)
		if err == nil {
			err = os.WriteFile(to, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	find := func() string {
		d, err := open(t, path).DebugFile([]string{dir})
		if err != nil {
			if !errors.Is(err, ErrNoDebugFile) {
				t.Error(err)
			}
			return ""
		}
		if d.BuildID() != id {
			t.Errorf("build id %q, want %q", d.BuildID(), id)
		}
		return d.Name()
	}
	for _, to := range []string{
		filepath.Join(filepath.Dir(path), ".debug", "prog.debug"),
		filepath.Join(dir, filepath.Dir(path), "prog.debug"),
		filepath.Join(dir, ".build-id", id[:2], id[2:]+".debug"),
	} {
		place(to)
		os.Remove(debug + ".moved")
		if to != debug {
			os.Rename(debug, debug+".moved")
		}
		if got := find(); got != to {
			t.Errorf("found %q, want %q", got, to)
		}
		os.Rename(debug+".moved", debug)
		os.Remove(to)
	}
	if got := find(); got != debug {
		t.Errorf("found %q, want %q", got, debug)
	}
	// Another build of the same name: neither its CRC nor its build id fit.
	other := build(t, program, "-g", "-Wl,--build-id=0x1234")
	run(t, "objcopy", "--only-keep-debug", other, debug)
	place(filepath.Join(dir, ".build-id", id[:2], id[2:]+".debug"))
	if got := find(); got != "" {
		t.Errorf("took %q, a file of another build", got)
	}
}

// TestDebugLinkCRC has no build id to go by.
func TestDebugLinkCRC(t *testing.T) {
	path := build(t, program, "-g", "-Wl,--build-id=none")
	debug := path + ".debug"
	run(t, "objcopy", "--only-keep-debug", path, debug)
	run(t, "objcopy", "--strip-all", "--add-gnu-debuglink="+debug, path)
	if name, crc, ok := open(t, path).DebugLink(); !ok || name != "prog.debug" || crc == 0 {
		t.Errorf("debug link %q %#x %v", name, crc, ok)
	}
	dirs := []string{t.TempDir()}
	if d, err := open(t, path).DebugFile(dirs); err != nil || d.Name() != debug {
		t.Errorf("%v", err)
	}
	o, err := os.OpenFile(debug, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	o.WriteString("x")
	o.Close()
	if d, err := open(t, path).DebugFile(dirs); !errors.Is(err, ErrNoDebugFile) {
		t.Errorf("took %v with another CRC (%v)", d, err)
	}
}

func TestRefusals(t *testing.T) {
	if _, err := Open(bytes.NewReader([]byte("#!/bin/sh\n")), 10, "script"); !errors.Is(err, ErrNotELF) {
		t.Errorf("script: %v", err)
	}
	h := make([]byte, 64)
	copy(h, "\x7fELF\x01\x01\x01")
	h[18] = byte(elf.EM_ARM)
	var m *MachineError
	if _, err := Open(bytes.NewReader(h), 64, "arm"); !errors.As(err, &m) || m.Machine != elf.EM_ARM {
		t.Errorf("arm: %v", err)
	}
	h[18] = byte(elf.EM_386)
	if _, err := Open(bytes.NewReader(h[:51]), 51, "i386"); !errors.Is(err, ErrNotELF) {
		t.Errorf("cut header of i386: %v", err)
	}
	copy(h, "\x7fELF\x02\x01\x01")
	h[18] = byte(elf.EM_X86_64)
	if _, err := Open(bytes.NewReader(h[:40]), 40, "cut"); !errors.Is(err, ErrNotELF) {
		t.Errorf("cut header: %v", err)
	}
	if _, err := OpenPath(t.TempDir()); !errors.Is(err, openfile.ErrNotRegular) {
		t.Errorf("directory: %v", err)
	}
	if _, err := OpenPath("/nonexistent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// TestConcurrentUse opens once and asks everything from many goroutines (for the race detector).
func TestConcurrentUse(t *testing.T) {
	f := open(t, build(t, program, "-g"))
	sums := make(chan string)
	for range 8 {
		go func() {
			h := sha256.New()
			list, _ := f.Sections()
			for _, s := range list {
				b, _ := f.SectionData(s.Name, 1<<20)
				h.Write(b)
			}
			io.WriteString(h, f.BuildID())
			f.DebugFile(nil)
			sums <- hex.EncodeToString(h.Sum(nil))
		}()
	}
	first := <-sums
	for range 7 {
		if s := <-sums; s != first {
			t.Error("two goroutines read different bytes")
		}
	}
}
