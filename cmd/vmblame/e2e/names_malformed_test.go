package e2e

import (
	"debug/elf"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// spoil changes some bytes of b in [lo, hi): to any value, or to one that breaks sizes.
func spoil(rnd *rand.Rand, b []byte, lo, hi int) {
	for range 1 + rnd.Intn(24) {
		values := []byte{0, 1, 0x7f, 0x80, 0xff, byte(rnd.Intn(256))}
		b[lo+rnd.Intn(hi-lo)] = values[rnd.Intn(len(values))]
	}
}

// TestMalformedLibraries: code that runs from a file which passes for ELF, but is not what it says, ends no
// recording: the stack is as long as it can be, and the program runs as before.
func TestMalformedLibraries(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "whole.so")
	library(t, path, "whole", "0x1000")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const page = 4096
	// push %rbp; mov %rsp,%rbp; call *%rdi; pop %rbp; ret
	stub := append([]byte{0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3}, make([]byte, page-8)...)
	headers := len(f.Progs)*56 + 64
	rnd := rand.New(rand.NewSource(1))
	const count = 80
	argv := []string{prog(t, "loads")}
	for i := range count {
		b := slices.Clone(whole)
		switch i % 4 {
		case 0: // the headers
			spoil(rnd, b, 16, headers)
		case 1: // anything
			spoil(rnd, b, 16, len(b))
		case 2: // the section headers
			spoil(rnd, b, len(b)-64*len(f.Sections), len(b))
		case 3: // one section that is read
			names := []string{".eh_frame", ".eh_frame_hdr", ".symtab", ".strtab", ".debug_info", ".debug_abbrev", ".debug_line", ".dynsym"}
			s := f.Section(names[i/4%len(names)])
			spoil(rnd, b, int(s.Offset), int(s.Offset+s.Size))
		}
		if i < 12 {
			b = b[:len(b)*(i+1)/13]
		}
		b = append(b, make([]byte, (page-len(b)%page)%page)...)
		name := filepath.Join(dir, fmt.Sprintf("%d.so", i))
		if err := os.WriteFile(name, append(b, stub...), 0o755); err != nil {
			t.Fatal(err)
		}
		argv = append(argv, "code="+name)
	}
	n, o := recordNames(t, nil, argv...)
	if o.status != "exit status 0" || o.stderr != "" {
		t.Errorf("%s: %s", o.status, o.stderr)
	}
	stacks := n.mmaps[0x77000]
	if len(stacks) != count {
		t.Fatalf("%d of %d calls are in the log", len(stacks), count)
	}
	reached := 0
	for i, id := range stacks {
		frames := n.frames(id)
		names := called(frames)
		if i >= 12 && i%4 == 3 && (len(frames) < 3 || frames[2].symbol != nil || filepath.Ext(frames[2].module.Path) != ".so") {
			t.Errorf("stack %d: code that stands at no address of its file: %q", id, names)
		}
		if len(names) < 3 || names[1] != "map_from_code" {
			t.Errorf("stack %d: %q", id, names)
		}
		if slices.Contains(names, "main") {
			reached++
		}
	}
	if reached < count/2 {
		t.Errorf("%d of %d stacks reach main", reached, count)
	}
}

// TestMalformedPrograms: a program whose debug sections, symbols or section headers are damaged runs, is
// recorded, and every name that it still has is right.
func TestMalformedPrograms(t *testing.T) {
	dir := t.TempDir()
	source, path := filepath.Join(dir, "p.c"), filepath.Join(dir, "p")
	text := "#include <sys/mman.h>\n#include <stdlib.h>\n" +
		"__attribute__((noinline)) static void *inner(void) { void *p = mmap(0, 0x31000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); __asm__ volatile(\"\"); return p; }\n" +
		"int main(void) { void *p = inner(); return p == MAP_FAILED; }\n"
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, "gcc", "-O1", "-g", "-o", path, source)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	loaded := 0
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			loaded = max(loaded, int(p.Off+p.Filesz))
		}
	}
	rnd := rand.New(rand.NewSource(2))
	for i := range 16 {
		b := slices.Clone(whole)
		switch i % 4 {
		case 0:
			spoil(rnd, b, 40, 48) // e_shoff
		case 1:
			spoil(rnd, b, 58, 64) // sizes and numbers of section headers
		case 2:
			spoil(rnd, b, loaded, len(b))
		case 3:
			spoil(rnd, b, len(b)-64*len(f.Sections), len(b))
		}
		name := filepath.Join(dir, fmt.Sprint("p", i))
		if err := os.WriteFile(name, b, 0o755); err != nil {
			t.Fatal(err)
		}
		n, o := recordNames(t, nil, name)
		if o.status != "exit status 0" || o.stderr != "" {
			t.Errorf("program %d: %s: %s", i, o.status, o.stderr)
		}
		frames := n.mapped(t, 0x31000)
		if len(frames) < 4 {
			t.Errorf("program %d: %q", i, called(frames))
		}
	}
}
