package record

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"

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
	file *elffile.File // nil where there is no ELF file that could be read
	unw  *unwind.Module
}

type moduleKey struct {
	dev   vm.Dev
	inode uint64
	path  string // only where there is no inode
}

// modules is the table of all modules of a recording.
type modules struct {
	byKey map[moduleKey]*module
	byUnw map[*unwind.Module]*module
}

func newModules() *modules {
	return &modules{byKey: make(map[moduleKey]*module), byUnw: make(map[*unwind.Module]*module)}
}

// code answers unwind's question for one space, from the ledger.
type code struct {
	r  *Recorder
	sp *space
}

// CodeAt implements unwind.Code.
func (c code) CodeAt(pc uint64) (*unwind.Module, uint64, bool) {
	e, ok := c.sp.ledger.At(pc)
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
	return m.unw, pc - e.Start + e.Offset, true
}

// moduleOf returns the module of an executable mapping, which it opens and announces where it is new.
func (r *Recorder) moduleOf(sp *space, e *ledger.Entry) *module {
	key := moduleKey{e.File.Dev, e.File.Inode, ""}
	if e.File.Inode == 0 {
		key.path = e.File.Path
		if key.path != "[vdso]" {
			key.path = "[anon]"
		}
	}
	if m := r.modules.byKey[key]; m != nil {
		return m
	}
	m := &module{path: strings.TrimSuffix(e.File.Path, " (deleted)")}
	source := ""
	switch {
	case e.File.Inode != 0:
		m.file = r.openMapped(sp, e)
	case key.path == "[vdso]":
		m.path, source = "[vdso]", "vdso"
		m.file = r.readImage(sp, e)
	default:
		m.path = "[anon]"
	}
	r.addModule(key, m, e.File, source)
	return m
}

func (r *Recorder) addModule(key moduleKey, m *module, f vm.File, source string) {
	m.id = len(r.modules.byKey) + 1
	m.unw = unwind.NewModule(m.file)
	r.modules.byKey[key] = m
	r.modules.byUnw[m.unw] = m
	rec := &eventlog.Module{Module: m.id, Path: m.path, Dev: f.Dev.String(), Inode: f.Inode}
	if m.file != nil {
		if id := m.file.BuildID(); id != "" {
			rec.BuildID = &id
		}
		r.names.module(m.id, m.file, source)
	}
	r.box.define(rec)
}

// noModule is the module of code in no executable mapping.
func (r *Recorder) noModule() *module {
	key := moduleKey{path: "[anon]"}
	if r.modules.byKey[key] == nil {
		r.addModule(key, &module{path: "[anon]"}, vm.File{}, "")
	}
	return r.modules.byKey[key]
}

// openMapped opens the file of a mapping as the tracee sees it: by /proc/PID/map_files, which is right for
// deleted files and other mount namespaces but needs a capability, else by its path below the tracee's
// root, where it must still be the same file.
func (r *Recorder) openMapped(sp *space, e *ledger.Entry) *elffile.File {
	tid := r.anyTask(sp)
	if row, ok := sp.view.at(e.Start); ok {
		path := fmt.Sprintf("/proc/%d/map_files/%x-%x", tid, row.Start, row.End)
		if f := openELF(path, e.File.Path, nil); f != nil {
			return f
		}
	}
	same := func(st *syscall.Stat_t) bool { return st.Ino == e.File.Inode }
	if f := openELF(fmt.Sprintf("/proc/%d/root%s", tid, e.File.Path), e.File.Path, same); f != nil {
		return f
	}
	return openELF(fmt.Sprintf("/proc/%d/exe", tid), e.File.Path, same)
}

// openELF opens path, and checks it where check is given; nil where that fails.
func openELF(path, name string, check func(*syscall.Stat_t) bool) *elffile.File {
	// O_NONBLOCK: what stands there now may be a FIFO.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || check != nil && !check(st.Sys().(*syscall.Stat_t)) {
		f.Close()
		return nil
	}
	ef, err := elffile.Open(f, st.Size(), strings.TrimSuffix(name, " (deleted)"))
	if err != nil {
		f.Close()
		return nil
	}
	return ef
}

// readImage reads an ELF image that stands whole in memory: the vdso.
func (r *Recorder) readImage(sp *space, e *ledger.Entry) *elffile.File {
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
	return f
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
