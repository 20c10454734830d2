package naming

import (
	"cmp"
	"errors"
	"io"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/vmblame/vmblame/internal/distro"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/symbolize"
)

// Log is what is known of a log: the addresses of its frames, and their names.
type Log struct {
	// Fresh are the new names, and those that take the place of others.
	Fresh []*eventlog.Symbol

	modules  []*namedModule
	resolver *symbolize.Resolver
	debug    *DebugFiles
	header   *eventlog.Header
	instead  map[eventlog.Place]bool
}

// namedModule is a module of the log.
type namedModule struct {
	eventlog.Module
	addrs  map[uint64]*eventlog.Symbol // of its frames; nil where they have no name yet
	from   string                      // the file that gave the names, "" for none
	here   bool                        // the file at its path is the one that ran
	wanted string                      // why no file was taken
	hint   string                      // how to get more names
}

// ReadLog reads the addresses of a log from its beginning; cut says that it has no end.
func ReadLog(r *eventlog.Reader, debug *DebugFiles) (n *Log, cut bool, err error) {
	n = &Log{debug: debug, header: r.Header(), instead: make(map[eventlog.Place]bool),
		resolver: symbolize.New(symbolize.Options{DebugDirs: debug.Directories(), Debuginfod: debug.Servers(), Cache: symbolize.DefaultCache()})}
	byID := make(map[int]*namedModule)
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) || errors.Is(err, eventlog.ErrCut) {
			return n, errors.Is(err, eventlog.ErrCut), nil
		}
		if err != nil {
			return nil, false, err
		}
		switch rec := rec.(type) {
		case *eventlog.Module:
			m := &namedModule{Module: *rec, addrs: make(map[uint64]*eventlog.Symbol)}
			byID[m.Module.Module] = m
			n.modules = append(n.modules, m)
		case *eventlog.Stack:
			for _, f := range rec.Frames {
				addr := uint64(f.Lookup())
				if m := byID[f.Module]; m != nil && m.addrs[addr] == nil {
					m.addrs[addr] = nil
				}
			}
		case *eventlog.Symbol:
			if m := byID[rec.Module]; m != nil {
				m.addrs[uint64(rec.Offset)] = rec
			}
		}
	}
}

// Resolve looks up all addresses. Before each file it calls begins, which may be nil, with the file's module and the
// number of addresses that are done.
func (n *Log) Resolve(begins func(file string, done, all int)) {
	var poor []*namedModule
	var files []distro.File
	done, all := 0, 0
	for _, m := range n.modules {
		all += len(m.addrs)
	}
	for _, m := range n.modules {
		if begins != nil {
			begins(m.Path, done, all)
		}
		done += len(m.addrs)
		if len(m.addrs) > 0 && !m.special() && !n.name(m) {
			poor = append(poor, m)
			files = append(files, distro.File{Path: m.Path, BuildID: m.id(), Here: m.here})
		}
	}
	for i, hint := range distro.Hints(files) {
		poor[i].hint = hint
	}
}

// name looks up the addresses of a module. It reports whether debug symbols would give no more.
func (n *Log) name(m *namedModule) bool {
	f := n.file(m)
	if f == nil {
		return false
	}
	defer f.Close()
	defer n.resolver.Release(f)
	m.from = f.Name()
	n.resolver.Resolve(f, slices.Collect(maps.Keys(m.addrs)), func(addr uint64, s symbolize.Symbol) {
		rec := symbolRecord(m.Module.Module, addr, s, "")
		if old := m.addrs[addr]; old == nil || tellsMore(rec, old) {
			n.Fresh = append(n.Fresh, rec)
			n.instead[rec.Place()] = old != nil
			m.addrs[addr] = rec
		}
	})
	d, err := f.DebugFile(n.debug.Directories())
	if err == nil {
		m.from = d.Name()
	}
	return err == nil || !m.poor()
}

// tellsMore reports whether a is the better name: of a source that knows functions as the compiler wrote
// them, or with file and line.
func tellsMore(a, b *eventlog.Symbol) bool {
	rank := func(s *eventlog.Symbol) int {
		switch s.Source {
		case "dwarf":
			return 4
		case "gopclntab":
			return 3
		case "symtab", "minidebuginfo":
			return 2
		case "dynsym", "plt", "vdso":
			return 1
		}
		return 0
	}
	line := func(s *eventlog.Symbol) int { return min(1, s.Frames[0].Line) }
	if len(a.Frames) == 0 || len(b.Frames) == 0 {
		return len(a.Frames) > 0
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(line(a), line(b))) > 0
}

// Replaced reports whether a symbol of the log gives way to a fresh one.
func (n *Log) Replaced(s *eventlog.Symbol) bool { return n.instead[s.Place()] }

// count returns how many addresses there are, have names, and have new ones.
func (n *Log) count() (total, named, fresh int) {
	for _, m := range n.modules {
		total += len(m.addrs)
		named += m.named()
	}
	return total, named, len(n.Fresh)
}

// file opens a file of a module's exact build: the file itself, a debug file, or one from a server.
func (n *Log) file(m *namedModule) *elffile.File {
	if f, err := elffile.OpenPath(m.Path); err == nil {
		if m.here = n.same(m, f); m.here {
			return f
		}
		f.Close()
		m.wanted = "the file at its path is another one"
	} else {
		m.wanted = "no such file here"
	}
	id := m.id()
	if id == "" {
		return nil
	}
	for _, path := range buildPaths(m, n.debug.Directories()) {
		f, err := elffile.OpenPath(path)
		if err != nil {
			continue
		}
		if f.BuildID() == id {
			return f
		}
		f.Close()
	}
	if len(n.debug.Servers()) > 0 {
		if f, err := n.resolver.FetchDebug(id); err == nil {
			return f
		}
	}
	return nil
}

// same reports whether f, found at a module's path, is the file that ran: by its build id; a file that has
// none only where this is the machine of the recording and the file has not been written since.
func (n *Log) same(m *namedModule, f *elffile.File) bool {
	if m.id() != "" || f.BuildID() != "" {
		return m.id() == f.BuildID()
	}
	st, err := os.Stat(m.Path)
	if err != nil {
		return false
	}
	sys := st.Sys().(*syscall.Stat_t)
	began, err := time.Parse(time.RFC3339, n.header.Started)
	host, _ := os.Hostname()
	return err == nil && host == n.header.Host.Hostname && sys.Ino == m.Inode && st.ModTime().Before(began) &&
		m.Dev == deviceOf(sys.Dev).String()
}

// deviceOf takes a dev_t apart as makedev(3) puts it together.
func deviceOf(dev uint64) vm.Dev {
	return vm.Dev{Major: uint32(dev>>8&0xfff | dev>>32&^0xfff), Minor: uint32(dev&0xff | dev>>12&^0xff)}
}
