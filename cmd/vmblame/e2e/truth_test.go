package e2e

import (
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// A truth is what others than vmblame say of a process's memory at one moment: the kernel's labels, debug/elf of the
// files, the C library's structures by its own DWARF, the runtime's own figures.
type truth struct {
	t      *testing.T
	pid    int
	rows   []vm.SmapsEntry
	claims []claim // a later one wins
	sums   []sum
	mem    *os.File
}

// claim says what a part of memory is.
type claim struct {
	vm.Range
	kinds  []classify.Kind // any of them is right; none: nobody can know
	source string
}

// sum says how many bytes there are of some kinds, and no more than that.
type sum struct {
	kinds  []classify.Kind
	least  uint64 // what is missing of it is unknown
	most   uint64 // what is above it is wrong
	usable bool   // of the bytes that can be accessed alone
	source string
}

func kinds(k ...classify.Kind) []classify.Kind { return k }

// newTruth gathers what is the same for every program.
func newTruth(t *testing.T, pid int) *truth {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
	if err != nil {
		t.Fatal(err)
	}
	h := &truth{t: t, pid: pid}
	if h.rows, err = vm.ParseSmaps(nil, text); err != nil {
		t.Fatal(err)
	}
	if h.mem, err = os.Open(fmt.Sprintf("/proc/%d/mem", pid)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.mem.Close() })
	h.labels()
	h.files()
	h.glibc()
	return h
}

func (h *truth) claim(source string, start, end uint64, k ...classify.Kind) {
	if start < end {
		h.claims = append(h.claims, claim{vm.Range{Start: start, End: end}, k, source})
	}
}

// labels takes the kernel's word for what it mapped, and for files that are no code.
func (h *truth) labels() {
	for i := range h.rows {
		e := &h.rows[i]
		p := e.File.Path
		var k []classify.Kind
		switch {
		case p == "":
			continue
		case p == "[heap]" && e.Perms&vm.Exec != 0: // V8's code, over the place of a program break that is not in use
			k = kinds(classify.V8Code)
		case p == "[heap]":
			if k = kinds(classify.Heap); e.Perms == 0 { // a page that musl took away from it
				k = kinds(classify.Heap, classify.Reserved, classify.MuslMalloc)
			}
		case p == "[stack]":
			k = kinds(classify.MainStack)
		case p == "[vdso]", strings.HasPrefix(p, "[vvar"):
			k = kinds(classify.VDSO)
		case strings.HasPrefix(p, "/dev/shm/"):
			k = kinds(classify.SharedPOSX)
		case strings.HasPrefix(p, "/SYSV"):
			k = kinds(classify.SharedSysV)
		case p == "/dev/zero (deleted)":
			k = kinds(classify.SharedAnon)
		case strings.HasPrefix(p, "/memfd:"):
			k = kinds(classify.MemFD)
		case strings.HasPrefix(p, "/[aio]"):
			k = kinds(classify.AIO)
		case strings.HasPrefix(p, "/dev/"), strings.HasPrefix(p, "anon_inode:"):
			k = kinds(classify.GPU, classify.Device, classify.IOURing)
		case strings.HasPrefix(p, "/"):
			// V8 maps its built-in code once more into its range of code: both are right.
			k = kinds(classify.FileData, classify.Locale, classify.ELFGap, classify.V8Code)
			if strings.HasSuffix(p, ".core") {
				k = append(k, classify.SBCL) // a space of SBCL that begins with its file
			}
		default:
			continue
		}
		h.claim("the kernel's label "+p, e.Start, e.End, k...)
	}
}

// files holds what program headers say of each file that is loaded: its rows from offset 0 on, one of which is code.
func (h *truth) files() {
	for i := 0; i < len(h.rows); i++ {
		first := &h.rows[i]
		if !strings.HasPrefix(first.File.Path, "/") || first.Offset != 0 || first.Perms&vm.Shared != 0 {
			continue
		}
		f, err := elf.Open(fmt.Sprintf("/proc/%d/map_files/%x-%x", h.pid, first.Start, first.End))
		if err != nil {
			continue
		}
		h.image(f, first)
		f.Close()
	}
}

func (h *truth) image(f *elf.File, first *vm.SmapsEntry) {
	var loads []*elf.Prog
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			loads = append(loads, p)
		}
	}
	if len(loads) == 0 {
		return
	}
	bias := first.Start - vm.PageDown(loads[0].Vaddr)
	// All segments stand where they should, or it is mapped to be read.
	for _, p := range loads {
		if p.Filesz == 0 {
			continue
		}
		e := h.row(vm.PageDown(p.Vaddr) + bias)
		if e == nil || e.File != first.File && e.File.Path != "" {
			return
		}
	}
	name := path.Base(first.File.Path)
	code := false
	for i := range h.rows {
		e := &h.rows[i]
		code = code || e.File == first.File && e.Perms&vm.Exec != 0
	}
	if !code { // data in ELF's clothes, as Guile's: mapped to be read
		return
	}
	for _, p := range loads {
		start := vm.PageDown(p.Vaddr) + bias
		file := start
		if p.Filesz > 0 {
			file = vm.PageUp(p.Vaddr + p.Filesz + bias)
		}
		for at := start; at < file; {
			e := h.row(at)
			if e == nil {
				break
			}
			end := min(e.End, file)
			if e.File == first.File {
				k := kinds(classify.ELFRodata, classify.ELFRelro)
				switch {
				case e.Perms&vm.Exec != 0:
					k = kinds(classify.ELFText)
				case e.Perms&vm.Write != 0:
					k = kinds(classify.ELFData)
				case e.Perms&vm.Read == 0:
					k = kinds(classify.ELFGap)
				}
				h.claim("program headers of "+name, at, end, k...)
			}
			at = end
		}
		for at, stop := file, vm.PageUp(p.Vaddr+p.Memsz+bias); at < stop; {
			e := h.row(at)
			if e == nil {
				break
			}
			end := min(e.End, stop)
			if e.File.Path == "" || e.File.Path == "[heap]" {
				h.claim("program headers of "+name, at, end, classify.ELFBSS, classify.ELFRelro)
			}
			at = end
		}
	}
}

func (h *truth) row(addr uint64) *vm.SmapsEntry {
	for i := range h.rows {
		if h.rows[i].Contains(addr) {
			return &h.rows[i]
		}
	}
	return nil
}

// word reads a word of the process, 0 where that cannot be.
func (h *truth) word(addr uint64) uint64 {
	var b [8]byte
	if _, err := h.mem.ReadAt(b[:], int64(addr)); err != nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}

// layout is what gdb reads from the DWARF of the C library and its loader: where variables are in the file, where fields
// in a struct.
var layout = sync.OnceValue(func() map[string]uint64 {
	said := map[string]uint64{}
	for file, questions := range map[string][]string{
		"/lib/x86_64-linux-gnu/libc.so.6": {"&main_arena", "&mp_", "&((struct malloc_state *)0)->next", "&((struct malloc_state *)0)->top", "&((struct malloc_state *)0)->system_mem",
			"&((struct malloc_par *)0)->mmapped_mem", "&((struct malloc_par *)0)->n_mmaps",
			"&((struct _heap_info *)0)->prev", "&((struct _heap_info *)0)->size", "&((struct _heap_info *)0)->mprotect_size",
			"&((struct pthread *)0)->stackblock", "&((struct pthread *)0)->stackblock_size", "&((struct pthread *)0)->guardsize", "&((struct pthread *)0)->list"},
		"/lib64/ld-linux-x86-64.so.2": {"&_rtld_global", "&((struct rtld_global *)0)->_dl_stack_used", "&((struct rtld_global *)0)->_dl_stack_user", "&((struct rtld_global *)0)->_dl_stack_cache"},
	} {
		argv := []string{"-nx", "-batch"}
		for _, q := range questions {
			argv = append(argv, "-ex", fmt.Sprintf("printf \"%s = %%lu\\n\", (unsigned long)%s", q, q))
		}
		out, _ := exec.Command("gdb", append(argv, file)...).Output()
		for line := range strings.Lines(string(out)) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), " = "); ok {
				said[name], _ = strconv.ParseUint(value, 10, 64)
			}
		}
	}
	return said
})

// field is where a field is in its struct.
func (h *truth) field(of, name string) uint64 {
	at, ok := layout()["&((struct "+of+" *)0)->"+name]
	if !ok {
		h.t.Fatalf("gdb knows no %s of struct %s: libc6-dbg", name, of)
	}
	return at
}

// glibc takes the threads' stacks from the loader's lists, arenas from the ring of main_arena, and the number of bytes in
// large chunks from malloc's parameters.
func (h *truth) glibc() {
	libc, ld := h.loaded("libc.so.6"), h.loaded("ld-linux-x86-64.so.2")
	if libc == 0 || ld == 0 {
		return
	}
	node, block, size := h.field("pthread", "list"), h.field("pthread", "stackblock"), h.field("pthread", "stackblock_size")
	for _, list := range []string{"_dl_stack_used", "_dl_stack_user", "_dl_stack_cache"} {
		head := ld + layout()["&_rtld_global"] + h.field("rtld_global", list)
		for at, n := h.word(head), 0; at != head && at != 0 && n < 1e5; at, n = h.word(at), n+1 {
			start := h.word(at - node + block)
			if start == 0 { // the first thread, whose stack the kernel made
				continue
			}
			h.claim("struct pthread in "+list, vm.PageUp(start), vm.PageDown(start+h.word(at-node+size)), classify.ThreadStack, classify.StackGuard)
		}
	}
	next, top := h.field("malloc_state", "next"), h.field("malloc_state", "top")
	main := libc + layout()["&main_arena"]
	for a, n := h.word(main+next), 0; a != main && a != 0 && n < 1e4; a, n = h.word(a+next), n+1 {
		for heap, k := h.word(a+top)&^(64<<20-1), 0; heap != 0 && k < 1e5; heap, k = h.word(heap+h.field("_heap_info", "prev")), k+1 {
			h.claim("malloc_state and heap_info", heap, heap+64<<20, classify.GlibcArena)
		}
	}
	mapped := h.word(libc + layout()["&mp_"] + h.field("malloc_par", "mmapped_mem"))
	h.sum("mp_.mmapped_mem", mapped, mapped, false, classify.GlibcLarge)
}

func (h *truth) sum(source string, least, most uint64, usable bool, k ...classify.Kind) {
	h.sums = append(h.sums, sum{k, least, most, usable, source})
}

// loaded is where a file is loaded whose first segment has address 0, 0 for nowhere.
func (h *truth) loaded(name string) uint64 {
	for i := range h.rows {
		if e := &h.rows[i]; path.Base(e.File.Path) == name && e.Offset == 0 {
			return e.Start
		}
	}
	return 0
}

// said takes the lines "WORD START END" of the program.
func (h *truth) said(lines []string, word string, k ...classify.Kind) {
	for _, line := range lines {
		var r vm.Range
		if n, _ := fmt.Sscanf(line, word+" %x %x", &r.Start, &r.End); n == 2 {
			h.claim("the program: "+word, r.Start, r.End, k...)
		}
	}
}

// number is the number behind a word in what was said.
func (h *truth) number(text, pattern string) uint64 {
	h.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		h.t.Fatalf("no %s in %q", pattern, text)
	}
	n, err := strconv.ParseUint(m[1], 0, 64)
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// tally are bytes by how an answer stands to the truth.
type tally struct {
	all, usable                     uint64 // mapped then and in the answer
	right, bySum, unknown, unjudged uint64 // of the usable ones
	wrong                           uint64 // of all
}

func (j tally) plus(o tally) tally {
	return tally{j.all + o.all, j.usable + o.usable, j.right + o.right, j.bySum + o.bySum, j.unknown + o.unknown, j.unjudged + o.unjudged, j.wrong + o.wrong}
}

// judge holds an answer against the truth. What is mapped in one of them alone came or went meanwhile.
func (h *truth) judge(answer []analysis.Range, told func(format string, args ...any)) tally {
	var j tally
	of := make([]uint64, len(h.sums))
	for i := range h.rows {
		e := &h.rows[i]
		for _, a := range answer {
			x := e.Intersect(vm.Range{Start: uint64(a.Start), End: uint64(a.End)})
			if x.Empty() {
				continue
			}
			for _, c := range h.cut(x) {
				h.judgePart(&j, e, c, a, of, told)
			}
		}
	}
	for i, s := range h.sums {
		if of[i] > s.most {
			j.wrong += of[i] - s.most
			j.bySum -= min(j.bySum, of[i]-s.most)
			told("wrong: %d bytes of %v, %s says %d", of[i], s.kinds, s.source, s.most)
		} else if of[i] < s.least {
			told("missing: %d bytes of %v, %s says %d", of[i], s.kinds, s.source, s.least)
		}
	}
	return j
}

// cut divides a range at the ends of claims, each part with the claim that holds.
func (h *truth) cut(r vm.Range) (parts []claim) {
	ends := []uint64{r.Start, r.End}
	for _, c := range h.claims {
		for _, at := range [...]uint64{c.Start, c.End} {
			if r.Start < at && at < r.End {
				ends = append(ends, at)
			}
		}
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)
	for i := 1; i < len(ends); i++ {
		part := claim{Range: vm.Range{Start: ends[i-1], End: ends[i]}, source: "nobody"}
		for _, c := range h.claims {
			if c.Covers(part.Range) {
				part.kinds, part.source = c.kinds, c.source
			}
		}
		parts = append(parts, part)
	}
	return parts
}

func (h *truth) judgePart(j *tally, e *vm.SmapsEntry, c claim, a analysis.Range, of []uint64, told func(string, ...any)) {
	n := c.Len()
	usable := e.Perms&(vm.Read|vm.Write|vm.Exec) != 0 && !slices.Contains(c.kinds, classify.Sanitizer) // a shadow has terabytes
	j.all += n
	count := func(to *uint64) {
		if usable {
			*to += n
		}
	}
	count(&j.usable)
	vague := a.Kind == classify.Unknown || a.Confidence == classify.Guess
	switch {
	case slices.Contains(c.kinds, a.Kind) || vague && slices.Contains(c.kinds, classify.Unknown):
		count(&j.right)
	case vague:
		count(&j.unknown)
		if usable {
			told("unknown: %v %v %s (%s)", c.Range, e.Perms, a.Label, c.source)
		}
	case len(c.kinds) > 0:
		j.wrong += n
		told("wrong: %v %v is %s, %s, %s; %s says %v", c.Range, e.Perms, a.Kind, a.Confidence, a.Evidence, c.source, c.kinds)
	default:
		for i, s := range h.sums {
			if slices.Contains(s.kinds, a.Kind) {
				if usable || !s.usable {
					of[i] += n
				}
				count(&j.bySum)
				count(&j.right)
				return
			}
		}
		count(&j.unjudged)
		if usable {
			told("not judged: %v %v %s, %s, %s", c.Range, e.Perms, a.Label, a.Confidence, a.Evidence)
		}
	}
}
