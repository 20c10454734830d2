package inspect

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

var recordFlag = flag.String("record", "", "TestOCaml writes a sample of the bytecode program to this `FILE` below testdata")

// ocamlProgram keeps lists, in two domains beside the first, and the first has those of one that has ended.
const ocamlProgram = `let size = 2_000
let kept = Array.init size (fun i -> [i; i + 1])
let big = Bytes.create 2_000_000
let work n () = let l = List.init n string_of_int in Gc.full_major (); l
let ended = Domain.join (Domain.spawn (work size))
let () =
  let m = Mutex.create () and c = Condition.create () and n = ref 0 and stop = ref false in
  let domains = List.init 2 (fun i -> Domain.spawn (fun () ->
    let l = work (size * (i + 1)) () in
    Mutex.lock m; incr n; Condition.broadcast c;
    while not !stop do Condition.wait c m done; Mutex.unlock m; List.length l)) in
  Mutex.lock m; while !n < 2 do Condition.wait c m done; Mutex.unlock m;
  print_endline "ready";
  (try ignore (input_line stdin) with End_of_file -> ());
  Mutex.lock m; stop := true; Condition.broadcast c; Mutex.unlock m;
  exit (List.fold_left (fun a d -> a + Domain.join d) (Array.length kept + Bytes.length big + List.length ended) domains land 0)
`

// ocamlMapped is what OCaml says, with OCAMLRUNPARAM=v=0x1000, that it has mapped for its heaps.
func ocamlMapped(text string) *rangeSet {
	var set rangeSet
	for line := range strings.Lines(text) {
		var what string
		var n, at uint64
		if k, _ := fmt.Sscanf(strings.Replace(line, "at 0x", "at ", 1), "%s %d bytes at %x", &what, &n, &at); k == 3 {
			switch r := vm.RangeOf(at, n); what {
			case "mmap":
				set.put(r)
			case "munmap": // of what was mapped to align it nothing is said before
				for _, x := range set.ranges() {
					if x = x.Intersect(r); !x.Empty() {
						set.remove(x)
					}
				}
			}
		}
	}
	return &set
}

// ocamlFound fails the test where what is found is not as much as OCaml has mapped, or is not OCaml's.
func ocamlFound(t *testing.T, found []classify.Finding, mapped *rangeSet) {
	t.Helper()
	var got rangeSet
	for _, f := range found {
		if f.Kind != classify.OCaml {
			continue
		}
		for _, p := range f.Parts {
			got.add(p.Range)
			if rest := mapped.free(p.Range); len(rest) > 0 {
				t.Errorf("%v of the %s is not OCaml's", rest, f.Detail)
			}
		}
	}
	for _, r := range mapped.ranges() {
		if rest := got.free(r); len(rest) > 0 {
			t.Errorf("%v is not found, of %v", rest, r)
		}
	}
	if len(got.ranges()) == 0 {
		t.Error("nothing is found")
	}
}

// TestOCaml: all that OCaml 5 says it has mapped is found, and nothing else is its, in bytecode and compiled.
func TestOCaml(t *testing.T) {
	testenv.Optional(t, "ocaml 5")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kept.ml"), []byte(ocamlProgram), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, compiler := range []string{"ocamlc", "ocamlopt"} {
		path := testenv.OCaml5(compiler)
		if path == "" {
			continue // not every processor's OCaml compiles to its code
		}
		t.Run(compiler, func(t *testing.T) {
			cmd := exec.Command(path, "-o", filepath.Join(dir, compiler), "kept.ml")
			cmd.Dir = dir
			if b, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, b)
			}
			_, l, found := command(t, "sh", "-c", `OCAMLRUNPARAM=v=0x1000 exec "$0" 2>"$0.said"`, filepath.Join(dir, compiler))
			said, err := os.ReadFile(filepath.Join(dir, compiler+".said"))
			if err != nil {
				t.Fatal(err)
			}
			mapped := ocamlMapped(string(said))
			ocamlFound(t, found, mapped)
			if *recordFlag != "" && compiler == "ocamlc" {
				record(t, l, findOCaml, mapped, isOCaml, "caml_minor_heaps_start", "caml_minor_heaps_end")
			}
		})
	}
}

// TestOCamlRecorded does what TestOCaml does with memory that was recorded: of OCaml 5.1, which maps 16 pools at once, and of 5.4, which
// has an array of its domains in malloc's memory. Where a word of it is another one, what this was needed for is not found.
func TestOCamlRecorded(t *testing.T) {
	for _, version := range []string{"5.1", "5.4"} {
		t.Run(version, func(t *testing.T) {
			s := readSample(t, "ocaml-"+version+".json.gz")
			found := Look(s.process())
			ocamlFound(t, found, s.mapped())
			count := func(at, word uint64) (minor, pools uint64) {
				p := s.process()
				p.Memory = lie{p.Memory, at, word}
				for _, f := range Look(p) {
					for _, part := range f.Parts {
						switch {
						case f.Kind != classify.OCaml:
						case f.Detail == "pools":
							pools += part.Len()
						default:
							minor += part.Len()
						}
					}
				}
				return minor, pools
			}
			minor, pools := count(0, 0)
			end := s.Bias + s.Symbols["caml_minor_heaps_end"]
			if m, p := count(end, s.word(end)+8); m+p > 0 {
				t.Errorf("with an end that is no page's %d and %d bytes", m, p)
			}
			if m, p := count(end, s.word(end)+1<<40); m+p > 0 {
				t.Errorf("with an end behind what is mapped %d and %d bytes", m, p)
			}
			// Of the pool that is the last one found, another domain is said, and another size.
			last := uint64(0)
			for _, f := range found {
				if f.Kind == classify.OCaml && f.Detail == "pools" {
					last = f.Parts[0].Start
				}
			}
			for _, x := range [][2]uint64{{16, last}, {24, 77}} {
				if m, p := count(last+x[0], x[1]); m != minor || p >= pools {
					t.Errorf("with %#x in word %d of a pool %d and %d bytes, of %d and %d", x[1], x[0]/8, m, p, minor, pools)
				}
			}
		})
	}
}

// sample is what a reader reads of a process, so that it can read it again where there is no such program.
type sample struct {
	Rows    []string          // as of maps
	Mapped  []vm.Range        // what the program says that it has mapped
	Path    string            // of the image with the symbols
	Bias    uint64            // of it
	Loads   []elf.Prog64      // and its segments
	Symbols map[string]uint64 // by name, as of the file
	Pages   map[uint64][]byte // by address
}

// spy is memory that keeps what is read of it.
type spy struct {
	Memory
	pages map[uint64][]byte
}

func (m spy) ReadPages(p []byte, addr uint64) int {
	n := m.Memory.ReadPages(p, addr)
	for i := 0; i+vm.PageSize <= n; i += vm.PageSize {
		m.pages[addr+uint64(i)] = bytes.Clone(p[i : i+vm.PageSize])
	}
	return n
}

// record writes a sample of what a reader reads.
func record(t *testing.T, l *Live, find func(*look), mapped *rangeSet, is func(*Image) bool, symbols ...string) {
	t.Helper()
	s := sample{Mapped: mapped.ranges(), Symbols: map[string]uint64{}, Pages: map[uint64][]byte{}}
	p := l.Process
	p.Memory = spy{l.Memory, s.Pages}
	k := &look{Process: &p, reader: newReader(p.Memory, vm.AddressMax, usual)}
	k.openImages()
	find(k)
	m := k.image2(is)
	s.Path, s.Bias = "/usr/bin/"+m.name(), m.Bias // wherever it was
	for _, p := range m.loads() {
		s.Loads = append(s.Loads, elf.Prog64{Type: uint32(p.Type), Flags: uint32(p.Flags), Off: p.Off, Vaddr: p.Vaddr, Filesz: p.Filesz, Memsz: p.Memsz, Align: p.Align})
	}
	for _, name := range symbols {
		s.Symbols[name] = m.exported(name) - m.Bias
	}
	for _, f := range k.opened {
		f.Close()
	}
	for i := range p.Rows {
		e := &p.Rows[i]
		s.Rows = append(s.Rows, fmt.Sprintf("%x-%x %v %08x %v %d %s", e.Start, e.End, e.Perms, e.Offset, e.File.Dev, e.File.Inode, strings.Replace(e.File.Path, m.Path, s.Path, 1)))
	}
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err := json.NewEncoder(z).Encode(s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", *recordFlag), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// recorded is a sample that was read.
type recorded struct {
	sample
	rows []vm.SmapsEntry
}

func readSample(t *testing.T, name string) *recorded {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	s := &recorded{}
	if b, err = io.ReadAll(z); err == nil {
		err = json.Unmarshal(b, &s.sample)
	}
	if err != nil {
		t.Fatal(err)
	}
	list, err := vm.ParseMaps(nil, []byte(strings.Join(s.Rows, "\n")+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		s.rows = append(s.rows, vm.SmapsEntry{Mapping: m})
	}
	return s
}

func (s *recorded) process() *Process {
	file := sampleFile(s.Loads, s.Symbols)
	return &Process{PID: 1, Rows: s.rows, Memory: s, Open: func(m *vm.Mapping) (*elffile.File, error) {
		if m.File.Path != s.Path {
			return nil, os.ErrNotExist
		}
		return elffile.Open(bytes.NewReader(file), int64(len(file)), s.Path)
	}}
}

func (s *recorded) mapped() *rangeSet {
	var set rangeSet
	for _, r := range s.Mapped {
		set.put(r)
	}
	return &set
}

func (s *recorded) word(addr uint64) uint64 {
	return binary.LittleEndian.Uint64(s.Pages[vm.PageDown(addr)][addr%vm.PageSize:])
}

func (s *recorded) ReadPages(p []byte, addr uint64) (n int) {
	for b := s.Pages[addr]; b != nil && n < len(p); b = s.Pages[addr+uint64(n)] {
		n += copy(p[n:], b)
	}
	return n
}

func (s *recorded) Resident(r vm.Range) func(yield func(vm.Range) bool) {
	return func(yield func(vm.Range) bool) {
		if r.Len()/vm.PageSize > 1<<20 {
			return
		}
		for at := r.Start; at < r.End; at += vm.PageSize {
			if s.Pages[at] != nil && !yield(vm.RangeOf(at, vm.PageSize)) {
				return
			}
		}
	}
}

// sampleFile is an ELF file with these segments, which are empty, and symbols.
func sampleFile(loads []elf.Prog64, symbols map[string]uint64) []byte {
	var b, syms bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	names := []byte{0}
	_ = binary.Write(&syms, binary.LittleEndian, elf.Sym64{})
	for name, value := range maps.All(symbols) {
		_ = binary.Write(&syms, binary.LittleEndian, elf.Sym64{Name: uint32(len(names)), Info: byte(elf.STT_OBJECT), Shndx: 1, Value: value, Size: 8})
		names = append(append(names, name...), 0)
	}
	sections := []byte("\x00.dynsym\x00.dynstr\x00.shstrtab\x00")
	symAt := uint64(64 + 56*len(loads))
	strAt := symAt + uint64(syms.Len())
	namesAt := strAt + uint64(len(names))
	put(elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1,
		Phoff: 64, Shoff: namesAt + uint64(len(sections)), Ehsize: 64, Phentsize: 56, Phnum: uint16(len(loads)), Shentsize: 64, Shnum: 4, Shstrndx: 3})
	put(loads)
	b.Write(syms.Bytes())
	b.Write(names)
	b.Write(sections)
	put([]elf.Section64{{}, {Name: 1, Type: uint32(elf.SHT_DYNSYM), Off: symAt, Size: uint64(syms.Len()), Link: 2, Entsize: 24},
		{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: strAt, Size: uint64(len(names))},
		{Name: 17, Type: uint32(elf.SHT_STRTAB), Off: namesAt, Size: uint64(len(sections))}})
	return b.Bytes()
}
