package inspect

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/corefile"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/vm"
)

// hostile is the memory of a process that lies: rows of any size, pages that hold what the readers look for, or loops of
// pointers, or nonsense, all made from a few bytes.
type hostile struct {
	rows    []vm.SmapsEntry
	look    []hostileRow // of each row
	patches map[uint64]uint64

	read, asked int
}

type hostileRow struct{ mode, seed, resident byte }

// hostilePaths are names of files that readers look for.
var hostilePaths = [...]string{"", "", "", "", "[heap]", "[stack]", "/lib/libc.so.6", "/lib/ld-linux-x86-64.so.2", "/lib/libjvm.so", "/bin/node", "/bin/python3.11",
	"/lib/libruby-3.1.so", "/bin/php8.2", "/lib/libmimalloc.so.2", "/lib/libtcmalloc_minimal.so.4", "/lib/libgc.so.1", "/bin/sbcl", "/bin/beam.smp",
	"/bin/mariadbd", "/bin/postgres", "/lib/libasan.so.8", "/lib/libluajit-5.1.so.2", "/bin/go", "/bin/firefox", "/lib/libxul.so", "/bin/mono-sgen"}

// hostileSymbols are what the files export.
var hostileSymbols = [...]string{"_rtld_global", "_r_debug", "_thread_db_rtld_global__dl_stack_used", "_thread_db_rtld_global__dl_stack_user",
	"_thread_db_pthread_list", "_thread_db_pthread_tid", "v8dbg_frametype_EntryFrame", "gHotSpotVMStructs", "gHotSpotVMStructEntryArrayStride",
	"gHotSpotVMStructEntryTypeNameOffset", "gHotSpotVMStructEntryFieldNameOffset", "gHotSpotVMStructEntryIsStaticOffset",
	"gHotSpotVMStructEntryOffsetOffset", "gHotSpotVMStructEntryAddressOffset", "_PyRuntime", "GC_arrays", "DYNAMIC_SPACE_START",
	"dynamic_space_size", "FIXEDOBJ_SPACE_START", "erts_literals_start", "erts_literals_size", "__asan_init", "moz_arena_malloc", "caml_minor_heaps_start", "caml_minor_heaps_end", "JSGlobalContextCreate", "pas_compact_heap_reservation_base",
	"pas_page_malloc_num_allocated_bytes", "pas_enumerable_page_malloc_page_list", "mono_gc_collect"}

const (
	hostileData = 0x2000 // where the file's variables are, and in the file, too
	hostileBSS  = 0x4000 // and how much of them there is
)

// hostileCode stands in the segment of code: what makecontext leaves return addresses into, and behind it make_fcontext.
var hostileCode = slices.Concat(contextMove, contextNext, []byte{5, 0xe8, 0, 0, 0, 0}, make([]byte, 16), boostJump, boostFinish, []byte{0, 0, 0, 0, halt})

const hostileCodeAt = 0x800

// hostileCoroutines are two stacks that makecontext has prepared, one with a context at its beginning that says so, below a guard each.
var hostileCoroutines = slices.Concat([]byte{5, 0, 0, 0, 0, 0, 0, 0},
	[]byte{1, 0, 0, 6, 0, 0, 0, 0}, // the C library
	[]byte{0, 0, 0, 0, 0, 0, 0, 0}, []byte{0, 4, 3, 0, 9, 0, 0, 0},
	[]byte{0, 0, 0, 0, 0, 0, 0, 0}, []byte{0, 4, 3, 0, 9, 0, 0, 0},
	[]byte{4, 15, 1, 0xfd, 1, 0, hostileCodeAt >> 8, 0}, []byte{6, 15, 1, 0xfd, 1, 0, hostileCodeAt >> 8, 0},
	[]byte{4, 0, 0, contextFlags, 0, 0, 0, 0}, []byte{4, 0, 0, contextSize, 5, 0, 0, 16}, []byte{4, 0, 0, contextRSP, 1, 4, 0xff, 0xe8})

// TestHostileCoroutines: what FuzzLook begins with is what the reader looks for.
func TestHostileCoroutines(t *testing.T) {
	p, _ := newHostile(hostileCoroutines)
	found := Look(p)
	checkFindings(t, p, found)
	of := map[classify.Confidence]int{}
	for _, f := range found {
		if f.Kind == classify.CoroutineStack {
			of[f.Confidence]++
		}
	}
	if of[classify.Certain] != 1 || of[classify.Guess] != 1 {
		t.Errorf("%v of %+v", of, found)
	}
}

// hostileFile is an ELF file with a segment of code, one of variables, and the symbols.
func hostileFile() []byte {
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	names, syms := []byte{0}, bytes.Buffer{}
	binary.Write(&syms, binary.LittleEndian, elf.Sym64{})
	for i, n := range hostileSymbols {
		binary.Write(&syms, binary.LittleEndian, elf.Sym64{Name: uint32(len(names)), Info: byte(elf.STT_OBJECT), Shndx: 1, Value: hostileData + uint64(i)*128, Size: 8})
		names = append(append(names, n...), 0)
	}
	shnames := []byte("\x00.dynsym\x00.dynstr\x00.shstrtab\x00")
	symAt := uint64(0x1000)
	strAt := symAt + uint64(syms.Len())
	shstrAt := strAt + uint64(len(names))
	const secAt = hostileData + 0x1000
	put(elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_DYN), Machine: uint16(elf.EM_X86_64), Version: 1,
		Phoff: 64, Shoff: secAt, Ehsize: 64, Phentsize: 56, Phnum: 2, Shentsize: 64, Shnum: 4, Shstrndx: 3})
	put(elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Filesz: 0x2000, Memsz: 0x2000, Align: 0x1000})
	put(elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W), Off: hostileData, Vaddr: hostileData, Filesz: 0x1000, Memsz: hostileBSS, Align: 0x1000})
	b.Write(make([]byte, hostileCodeAt-b.Len()))
	b.Write(hostileCode)
	b.Write(make([]byte, symAt-uint64(b.Len())))
	b.Write(syms.Bytes())
	b.Write(names)
	b.Write(shnames)
	b.Write(make([]byte, secAt-b.Len()))
	put(elf.Section64{})
	put(elf.Section64{Name: 1, Type: uint32(elf.SHT_DYNSYM), Off: symAt, Size: uint64(syms.Len()), Link: 2, Entsize: 24})
	put(elf.Section64{Name: 9, Type: uint32(elf.SHT_STRTAB), Off: strAt, Size: uint64(len(names))})
	put(elf.Section64{Name: 17, Type: uint32(elf.SHT_STRTAB), Off: shstrAt, Size: uint64(len(shnames))})
	return b.Bytes()
}

// newHostile makes a process from data: how many rows, eight bytes for each, then eight for each word that is other than
// its row's rule says.
func newHostile(data []byte) (*Process, *hostile) {
	h := &hostile{patches: map[uint64]uint64{}}
	next := func() (b [8]byte) {
		data = data[copy(b[:], data):]
		return b
	}
	first := next()
	at := uint64(0x10000)
	for range first[0] % 48 {
		b := next()
		path := hostilePaths[int(b[3])%len(hostilePaths)]
		at += uint64(b[0]&3) * vm.PageSize
		if shift := b[0] >> 2; shift > 12 && shift < 44 { // round places
			at = (at + 1<<shift - 1) &^ (1<<shift - 1)
		}
		if path != "" && path[0] == '/' {
			for k, perms := range [...]vm.Perms{vm.Read | vm.Exec, vm.Read | vm.Write, vm.Read | vm.Write} {
				e := vm.SmapsEntry{Mapping: vm.Mapping{Range: vm.RangeOf(at+uint64(k)*0x2000, 0x2000), Perms: perms, File: vm.File{Path: path, Inode: uint64(b[3]) + 1}, Offset: uint64(k) * 0x2000}}
				switch k {
				case 1:
					e.End = e.Start + 0x1000
				case 2:
					e.Start -= 0x1000
					e.End = e.Start + 0x3000
					e.File, e.Offset = vm.File{}, 0
				}
				h.add(e, b)
			}
			at += 0x6000
			continue
		}
		size := uint64(vm.PageSize) << (b[1] % 36) // up to 128 TiB
		if b[1] >= 128 {
			size = uint64(b[1]-127) * vm.PageSize
		}
		e := vm.SmapsEntry{Mapping: vm.Mapping{Range: vm.Range{Start: at, End: at + size}, Perms: vm.Perms(b[2] & 15), File: vm.File{Path: path}}}
		if b[2]&16 != 0 {
			e.VmFlags = "rd wr mr mw me dc ac nr"
		}
		if e.End >= 1<<47 {
			break
		}
		h.add(e, b)
		at = e.End
	}
	p := &Process{PID: 1, Rows: h.rows, Memory: h}
	for i := range first[1] % 8 {
		p.Threads = append(p.Threads, Thread{TID: int(i) + 1, FSBase: h.place(first[2]+i, uint64(first[3])*8), SP: h.place(first[4]+i, uint64(first[5])*8)})
	}
	if first[6]&1 != 0 { // a core
		p.Aux = map[uint64]uint64{corefile.AtRandom: h.place(first[6], 16), corefile.AtVDSO: h.place(first[7], 0)}
	}
	file := hostileFile()
	p.Open = func(*vm.Mapping) (*elffile.File, error) {
		return elffile.Open(bytes.NewReader(file), int64(len(file)), "file")
	}
	for len(data) > 0 {
		b := next()
		off := uint64(b[2])<<8 | uint64(b[3])
		arg := uint64(b[5])<<16 | uint64(b[6])<<8 | uint64(b[7])
		to := h.place(b[0], uint64(b[1])<<12|off*8%vm.PageSize)
		v := arg
		switch b[4] % 8 {
		case 1:
			v = h.place(b[5], arg&0xffff)
		case 2:
			v = to + arg
		case 3:
			v = 1<<63 - arg
		case 4:
			v = math.MaxUint64 - arg
		case 5:
			v = arg << 12
		case 6:
			v = arg << 21
		case 7:
			v = h.place(b[5], arg&0xffff<<12)
		}
		h.patches[to] = v
	}
	return p, h
}

func (h *hostile) add(e vm.SmapsEntry, b [8]byte) {
	h.rows = append(h.rows, e)
	h.look = append(h.look, hostileRow{b[4], b[5], b[6]})
}

// place is an address in some row.
func (h *hostile) place(row byte, off uint64) uint64 {
	if len(h.rows) == 0 {
		return off
	}
	r := h.rows[int(row)%len(h.rows)].Range
	return r.Start + off%r.Len()
}

// word is what stands at addr in row i.
func (h *hostile) word(addr uint64, i int) uint64 {
	if v, ok := h.patches[addr]; ok {
		return v
	}
	r, seed := h.rows[i].Range, uint64(h.look[i].seed)
	switch h.look[i].mode % 10 {
	case 1:
		return addr
	case 2:
		return seed
	case 3: // a list through its pages
		if addr+vm.PageSize < r.End {
			return addr + vm.PageSize
		}
		return addr%vm.PageSize + r.Start
	case 4: // pointers everywhere
		x := (addr>>3 + seed) * 0x9e3779b97f4a7c15
		return h.place(byte(x>>40), x>>8&0xffff8)
	case 5:
		return vm.PageDown(addr) // headers that name themselves
	case 6:
		return 1<<63 - addr%vm.PageSize*seed
	case 7: // sizes and pointers, one after the other
		if addr%16 == 0 {
			return vm.PageSize << (seed % 40)
		}
		return h.place(byte(seed), addr%r.Len())
	case 8:
		return (addr ^ seed<<32) * 0xbf58476d1ce4e5b9
	case 9:
		return r.Start
	}
	return 0
}

func (h *hostile) ReadPages(p []byte, addr uint64) int {
	h.read += len(p) / vm.PageSize
	n := 0
	for ; n < len(p); n += vm.PageSize {
		i := -1
		for k := range h.rows {
			if h.rows[k].Contains(addr + uint64(n)) {
				i = k
			}
		}
		if i < 0 {
			break
		}
		for o := 0; o < vm.PageSize; o += 8 {
			binary.LittleEndian.PutUint64(p[n+o:], h.word(addr+uint64(n+o), i))
		}
	}
	return n
}

func (h *hostile) Resident(r vm.Range) func(yield func(vm.Range) bool) {
	h.asked++
	return func(yield func(vm.Range) bool) {
		for i, e := range h.rows {
			x := e.Intersect(r)
			if x.Empty() {
				continue
			}
			switch k := h.look[i].resident; {
			case k < 128: // all of it
				if !yield(x) {
					return
				}
			case k < 192: // its beginning
				if x = x.Intersect(vm.RangeOf(e.Start, uint64(k-127)*vm.PageSize)); !x.Empty() && !yield(x) {
					return
				}
			default: // every other page
				for at := x.Start; at < x.End && at < e.Start+4096*vm.PageSize; at += 2 * vm.PageSize {
					if !yield(vm.RangeOf(at, vm.PageSize)) {
						return
					}
				}
			}
		}
	}
}

// FuzzLook: whatever stands in memory, a look ends, has read a bounded part of it, and finds things that do not overlap,
// in the rows that there are.
func FuzzLook(f *testing.F) {
	for mode := range byte(10) {
		// One of each path, small ones and large ones in turn.
		seed := []byte{47, 7, 3, 9, 5, 1, 0, 0}
		for i := range byte(47) {
			seed = append(seed, []byte{i%2*21<<2 | 1, i * 5, 3 | i&16, i, mode + i%2, i, i * 37, 0}...)
		}
		f.Add(seed)
	}
	f.Add(hostileCoroutines)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, h := newHostile(data)
		left := limits{reads: 1 << 16, pages: 1 << 10, windows: 1 << 10, visits: 1 << 16, searched: usual.searched}
		checkFindings(t, p, lookWithin(p, left))
		if h.read > left.pages || h.asked > left.windows+1<<12 {
			t.Errorf("%d pages read, %d questions", h.read, h.asked)
		}
	})
}

// checkFindings fails the test where parts are empty, overlap or lie where nothing is mapped.
func checkFindings(t *testing.T, p *Process, found []classify.Finding) {
	t.Helper()
	l := &look{Process: p, reader: newReader(nil, vm.AddressMax, usual)}
	var claims rangeSet
	for _, f := range found {
		if f.Kind == "" || f.Evidence == "" || f.Confidence == "" || len(f.Parts) == 0 {
			t.Errorf("%+v says too little", f)
		}
		for _, part := range f.Parts {
			if part.Empty() || !aligned(part.Start) || !aligned(part.End) || claims.overlaps(part.Range) || !l.covered(part.Range, func(*vm.SmapsEntry) bool { return true }) {
				t.Errorf("%s %v is taken, empty or not mapped", f.Kind, part.Range)
				continue
			}
			claims.add(part.Range)
		}
	}
}
