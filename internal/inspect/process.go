package inspect

import (
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/vm"
)

// Thread is a task of the process.
type Thread struct {
	TID    int
	Own    int // what it is called in its own pid namespace, as its memory has it; 0 where that is TID
	Name   string
	FSBase uint64 // the thread pointer, 0 where it is not known
	SP     uint64 // the stack pointer, 0 where it is not known
}

func (t *Thread) own() int {
	if t.Own != 0 {
		return t.Own
	}
	return t.TID
}

// Process is the input of a look.
type Process struct {
	PID     int
	Rows    []vm.SmapsEntry // ascending, as the kernel keeps them apart; figures are not needed
	Threads []Thread
	Memory  Memory
	// Aux is the auxiliary vector of a process whose rows have none of the kernel's labels; nil where they have them.
	Aux map[uint64]uint64
	// Open opens the file that a row maps, or says why it cannot; a nil Open opens none. It is called once per file.
	// Look closes the files.
	Open func(row *vm.Mapping) (*elffile.File, error)
}

// look is one look at a process: the state that its readers share.
type look struct {
	*Process
	*reader
	findings
	images   []*Image
	opened   []*elffile.File
	segments []segment       // of the images, ascending
	threads  map[int]*Thread // by their tid in their own pid namespace
	notELF   map[fileID]bool // files with executable rows that are no ELF files
}

// segment is a mapped part of an image.
type segment struct {
	vm.Range
	of *Image
}

// sources are the readers, in the order in which they run. What an earlier one has claimed stays claimed.
var sources = [...]struct {
	name string // for tests and benchmarks
	find func(*look)
}{
	{"what a core does not label", findUnlabelled},
	{"ELF images", findImages},
	{"AddressSanitizer", findSanitizer},
	{"glibc threads", findGlibcThreads},
	{"musl threads", findMuslThreads},
	{"threads by their control blocks", findControlBlocks},
	{"musl's malloc", findMusl},
	{"HotSpot", findHotSpot},
	{"Go", findGo},
	{"CPython", findCPython},
	{"CPython's frames", findPyFrames},
	{"PostgreSQL", findPostgres},
	{"InnoDB", findInnoDB},
	{"MariaDB's buffers", findMySQLBuffers},
	{"SBCL", findSBCL},
	{"BEAM", findBEAM},
	{"GHC", findGHC},
	{"Mono", findMono},
	{"OCaml", findOCaml},
	{"bdwgc", findBDWGC},
	{"LuaJIT", findLuaJIT},
	{"CRuby", findRuby},
	{"PHP", findPHP},
	{"mimalloc", findMimalloc},
	{"tcmalloc", findTCMalloc},
	{"mozjemalloc", findMozjemalloc},
	{"SpiderMonkey", findSpiderMonkey},
	{"JavaScriptCore", findJavaScriptCore},
	{"PartitionAlloc", findPartitionAlloc},
	{"V8's sandbox", findV8Sandbox},
	// These search memory; what others have claimed is left out.
	{"glibc arenas", findArenas},
	{"jemalloc", findJemalloc},
	{"V8", findV8},
	{"the dynamic loader", findLoader},
	{"glibc large chunks", findLarge},      // beside what others have claimed
	{"coroutines' stacks", findCoroutines}, // the same
}

// Look says what the memory of p is, as far as its contents show, in the order of addresses.
func Look(p *Process) []classify.Finding { return lookWithin(p, usual) }

func lookWithin(p *Process, left limits) []classify.Finding {
	if len(p.Rows) == 0 {
		return nil
	}
	l := &look{Process: p, reader: newReader(p.Memory, p.Rows[len(p.Rows)-1].End, left)}
	l.threads = map[int]*Thread{}
	for i := range p.Threads {
		l.threads[p.Threads[i].own()] = &p.Threads[i]
	}
	if l.Aux != nil { // labels are added
		unlabelled := *p
		unlabelled.Rows = slices.Clone(p.Rows)
		l.Process = &unlabelled
	}
	l.openImages()
	for _, s := range sources {
		s.find(l)
	}
	for _, f := range l.opened {
		f.Close()
	}
	slices.SortFunc(l.list, func(a, b classify.Finding) int {
		if a.Parts[0].Start < b.Parts[0].Start {
			return -1
		}
		return 1
	})
	return l.list
}
