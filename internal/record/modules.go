package record

import (
	"bytes"
	"debug/elf"
	"strings"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/unwind"
)

// module is a file, or a stretch of memory, that code ran from. Its file is opened when it is first seen
// and stays open, so that it keeps its identity and its names when it is unloaded, replaced or deleted.
type module struct {
	id   int
	path string
	file *mappedFile // nil where there is no ELF file that could be read
	unw  *unwind.Module
}

type moduleKey struct {
	dev   vm.Dev
	inode uint64
	path  string // only where there is no inode
	space int    // only of code in no file: the same address is other code in another space
}

// modules is the table of all modules of a recording.
type modules struct {
	byKey  map[moduleKey]*module
	byUnw  map[*unwind.Module]*module
	pinned map[moduleKey]*mappedFile // opened when they were mapped, not run yet
	perf   map[int]*perfMap          // by space, of those that have run code in no file
	count  int
	// What was found out of /proc/PID/map_files so far: that it may not be used, or that it may.
	mapFilesDenied, mapFilesWork bool
}

func newModules() *modules {
	return &modules{byKey: make(map[moduleKey]*module), byUnw: make(map[*unwind.Module]*module),
		pinned: make(map[moduleKey]*mappedFile), perf: make(map[int]*perfMap)}
}

// code answers unwind's question for one space, from the ledger.
type code struct {
	r  *Recorder
	sp *space
}

// CodeAt implements unwind.Code.
func (c code) CodeAt(pc uint64) (*unwind.Module, uint64, bool) {
	e, ok := c.sp.mm.Ledger().At(pc)
	if !ok || e.Perms&vm.Exec == 0 {
		return nil, 0, false
	}
	m := c.r.moduleOf(c.sp, &e)
	if m.file == nil {
		if e.File.Inode != 0 {
			return m.unw, pc - e.Start + e.Offset, true
		}
		return m.unw, pc, true
	}
	if addr, ok := m.file.VaddrOf(pc - e.Start + e.Offset); ok {
		return m.unw, addr, true
	}
	return m.unw, noAddress | pc - e.Start + e.Offset, true
}

// noAddress marks the offset of code in a part of an ELF file to which the file gives no address: what
// stands there is told, and no symbol or unwind table entry can be taken for its own.
const noAddress = 1 << 63

// moduleOf returns the module of an executable mapping, which it opens and announces where it is new.
func (r *Recorder) moduleOf(sp *space, e *ledger.Entry) *module {
	key := moduleKey{dev: e.File.Dev, inode: e.File.Inode}
	vdso := e.File.Inode == 0 && e.File.Path == "[vdso]"
	switch {
	case vdso && r.narrowImage(sp, e):
		key.path = "[vdso] 32"
	case vdso:
		key.path = "[vdso]"
	case e.File.Inode == 0:
		key.path, key.space = "[anon]", sp.id
	}
	path := strings.TrimSuffix(e.File.Path, " (deleted)")
	if m := r.modules.byKey[key]; m != nil {
		switch {
		case m.file != nil && m.file.intact():
			return m
		case m.file == nil && (m.path == path || e.File.Inode == 0):
			return m // what cannot be opened does not keep its inode from another file
		}
	}
	m := &module{path: path}
	names := &nameSource{}
	switch {
	case vdso:
		m.path, names.label = "[vdso]", "vdso"
		m.file = r.readImage(sp, e)
	case e.File.Inode == 0:
		m.path = "[anon]"
		names.perf = r.perfMapOf(sp)
	default:
		if m.file = r.modules.pinned[key]; m.file == nil || !m.file.intact() {
			m.file = r.openMapped(sp, e)
		}
		delete(r.modules.pinned, key)
	}
	r.addModule(key, m, e.File, names)
	return m
}

func (r *Recorder) addModule(key moduleKey, m *module, f vm.File, names *nameSource) {
	r.modules.count++
	m.id = r.modules.count
	rec := &eventlog.Module{Module: m.id, Path: m.path, Dev: f.Dev.String(), Inode: f.Inode}
	var file *elffile.File
	if m.file != nil {
		file = m.file.File
		if id := file.BuildID(); id != "" {
			rec.BuildID = &id
		}
		names.file, names.debug = file, m.file.debug
		if m.file.at != nil {
			names.intact = m.file.intact
		}
	}
	if file != nil && file.Class() != elf.ELFCLASS64 {
		m.unw = unwind.NewModule(nil) // its tables are for other registers and words
	} else {
		m.unw = unwind.NewModule(file)
	}
	r.modules.byKey[key] = m
	r.modules.byUnw[m.unw] = m
	if names.file != nil || names.perf != nil {
		r.names.module(m.id, names)
	}
	r.queue.Define(rec)
}

// noModule is the module of code in no executable mapping.
func (r *Recorder) noModule() *module {
	key := moduleKey{path: "[anon]"}
	if r.modules.byKey[key] == nil {
		r.addModule(key, &module{path: "[anon]"}, vm.File{}, &nameSource{})
	}
	return r.modules.byKey[key]
}

// perfMapOf returns the perf map of a space that has been seen to run code in no file.
func (r *Recorder) perfMapOf(sp *space) *perfMap {
	p := r.modules.perf[sp.id]
	if p == nil {
		tid := r.anyTask(sp)
		p = &perfMap{tid: tid, tgid: sp.pid}
		p.look(tid, sp.pid)
		r.modules.perf[sp.id] = p
	}
	return p
}

// lookAtPerfMap opens the space's perf map while its process still lives.
func (r *Recorder) lookAtPerfMap(sp *space) {
	if p := r.modules.perf[sp.id]; p != nil {
		p.look(r.anyTask(sp), sp.pid)
	}
}

// endPerfMap has the names of the space's code looked up, after all of its stacks.
func (r *Recorder) endPerfMap(sp *space) {
	if p := r.modules.perf[sp.id]; p != nil {
		delete(r.modules.perf, sp.id)
		r.queue.Define(mark(p.finish))
	}
}

// finish ends the perf maps of spaces that outlive the recording.
func (m *modules) finish() {
	for _, p := range m.perf {
		p.finish()
	}
}

// forkedCode makes a copy of an address space forget what it inherited of code in no file: it is its own.
func (r *Recorder) forkedCode(sp *space) {
	for e := range sp.mm.Ledger().All {
		if e.Perms&vm.Exec != 0 && e.File.Inode == 0 && e.File.Path != "[vdso]" {
			sp.walker.Invalidate(e.Range)
		}
	}
}

// readImage reads an ELF image that stands whole in memory: the vdso.
func (r *Recorder) readImage(sp *space, e *ledger.Entry) *mappedFile {
	const limit = 1 << 20
	t := r.tasks[r.anyTask(sp)]
	if t == nil || e.Len() > limit {
		return nil
	}
	image := make([]byte, e.Len())
	if n := t.thread.ReadMemory(e.Start, image); n < len(image) {
		return nil
	}
	f, err := elffile.Open(bytes.NewReader(image), int64(len(image)), "[vdso]")
	if err != nil {
		return nil
	}
	return &mappedFile{File: f}
}

// narrowImage tells that the image at e is a 32-bit one: each kind of process has its own vdso.
func (r *Recorder) narrowImage(sp *space, e *ledger.Entry) bool {
	t := r.tasks[r.anyTask(sp)]
	var ident [elf.EI_CLASS + 1]byte
	return t != nil && t.thread.ReadMemory(e.Start, ident[:]) == len(ident) && elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS32
}

// anyTask returns the tid of a task that uses the space, 0 where none is left.
func (r *Recorder) anyTask(sp *space) int {
	if r.current != nil && r.current.space == sp {
		return r.current.thread.TID
	}
	for tid, t := range r.tasks {
		if t.space == sp && !t.exiting {
			return tid
		}
	}
	return 0
}
