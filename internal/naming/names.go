package naming

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/symbolize"
)

// Names names the frames of a recording, once for each distinct place. Add and Module may be called from any
// goroutine; naming itself happens off the tracer's.
type Names struct {
	resolver *symbolize.Resolver
	early    bool
	perf     perfMaps

	mu     sync.Mutex // guards what follows
	known  map[int]*Source
	seen   map[eventlog.Place]struct{}
	loaded []*elffile.File    // what the resolver keeps in memory, the last used last
	todo   map[int][]uint64   // module id to addresses
	ready  []*eventlog.Symbol // named ahead of Resolve
}

// Source is where a module's names come from: its file, or the perf map of its process.
type Source struct {
	File   *elffile.File
	Debug  *elffile.File // its separate debug file as the tracee sees it, nil for none
	Intact func() bool   // reports whether the file still holds what was mapped
	Label  string        // what "symtab" is called: "vdso" for the vdso
	Perf   *PerfMap
}

// Options say where names are looked for.
type Options struct {
	// DebugDirs are the directories of separate debug files, nil for /usr/lib/debug; Debuginfod the URLs of
	// servers that are asked for those that none of them has.
	DebugDirs, Debuginfod []string
	// Early reports whether records wait for their names: perf maps are then read while they are being written, and
	// no server is waited for.
	Early bool
}

// New returns a Names that knows no module.
func New(o Options) *Names {
	return &Names{
		resolver: symbolize.New(symbolize.Options{DebugDirs: o.DebugDirs, Debuginfod: o.Debuginfod, DebuginfodCacheOnly: o.Early,
			Cache: symbolize.DefaultCache()}),
		early: o.Early, perf: perfMaps{},
		known: make(map[int]*Source), seen: make(map[eventlog.Place]struct{}), todo: make(map[int][]uint64),
	}
}

// Module says where the names of a module come from. Nothing is named in a module that was not passed to it.
func (n *Names) Module(id int, s *Source) {
	n.mu.Lock()
	n.known[id] = s
	n.mu.Unlock()
}

// Add takes note of a stack's addresses.
func (n *Names) Add(s *eventlog.Stack) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range s.Frames {
		f := &s.Frames[i]
		p := f.Place()
		if _, ok := n.seen[p]; ok || n.known[f.Module] == nil {
			continue
		}
		n.seen[p] = struct{}{}
		n.todo[f.Module] = append(n.todo[f.Module], uint64(p.Offset))
	}
}

// Resolve names what Add has noted and returns the symbol records, by module and address. One goroutine at a time may
// call it or Prepare.
func (n *Names) Resolve() []eventlog.Record {
	n.Prepare()
	list := n.ready
	n.ready = nil
	// Of files there is something again if it was added meanwhile: that is for the next time.
	todo := n.take(func(s *Source) bool { return s.Perf != nil })
	for _, id := range slices.Sorted(maps.Keys(todo)) {
		list = n.resolveCode(id, n.source(id).Perf, todo[id], list)
	}
	slices.SortStableFunc(list, func(a, b *eventlog.Symbol) int { return cmp.Or(a.Module-b.Module, cmp.Compare(a.Offset, b.Offset)) })
	out := make([]eventlog.Record, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// Prepare names what Add has noted so far of files, so that Resolve need not.
func (n *Names) Prepare() {
	todo := n.take(func(s *Source) bool { return s.Perf == nil })
	for _, id := range slices.Sorted(maps.Keys(todo)) {
		s := n.source(id)
		if !s.Intact() {
			continue // other code is there now
		}
		if s.Debug != nil {
			n.resolver.UseDebug(s.File, s.Debug)
			s.Debug = nil
		}
		n.resolver.Resolve(s.File, todo[id], func(addr uint64, sym symbolize.Symbol) {
			n.ready = append(n.ready, symbolRecord(id, addr, sym, s.Label))
		})
		n.keep(s.File)
	}
}

// take takes the addresses of those modules whose source which accepts. Nobody names those of modules that have gone.
func (n *Names) take(which func(*Source) bool) map[int][]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := make(map[int][]uint64)
	for id, addrs := range n.todo {
		s := n.known[id]
		if s != nil && !which(s) {
			continue
		}
		if delete(n.todo, id); s != nil {
			taken[id] = addrs
		}
	}
	return taken
}

func (n *Names) source(id int) *Source {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.known[id]
}

// resolveCode names code that has no file. What has no name yet is asked for again until the process ends.
func (n *Names) resolveCode(id int, perf *PerfMap, addrs []uint64, out []*eventlog.Symbol) []*eventlog.Symbol {
	named := make(map[uint64]bool)
	done := perf.resolve(addrs, n.early, func(addr uint64, sym symbolize.Symbol) {
		named[addr] = true
		out = append(out, symbolRecord(id, addr, sym, ""))
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	if done {
		delete(n.known, id)
		return out
	}
	addrs = slices.DeleteFunc(addrs, func(a uint64) bool { return named[a] })
	if len(addrs) > 0 {
		n.todo[id] = append(n.todo[id], addrs...)
	}
	return out
}

// keepLoaded bounds the files whose symbols stay in memory between two batches: loading a large one takes
// longer than naming a few addresses.
const keepLoaded = 4

func (n *Names) keep(f *elffile.File) {
	n.loaded = slices.DeleteFunc(n.loaded, func(g *elffile.File) bool { return g == f })
	n.loaded = append(n.loaded, f)
	if len(n.loaded) > keepLoaded {
		n.resolver.Release(n.loaded[0])
		n.loaded = slices.Delete(n.loaded, 0, 1)
	}
}

// symbolRecord is the record of an address's name. label is what "symtab" is called, "" for that.
func symbolRecord(module int, addr uint64, s symbolize.Symbol, label string) *eventlog.Symbol {
	rec := &eventlog.Symbol{Module: module, Offset: eventlog.Hex(addr), Source: cmp.Or(label, s.Source)}
	for _, f := range s.Frames {
		rec.Frames = append(rec.Frames, eventlog.SymbolFrame{
			Function: f.Function, LinkageName: f.LinkageName, Start: eventlog.Hex(f.Start),
			File: f.File, Line: f.Line, Unit: f.Unit, Inlined: f.Inlined,
		})
	}
	return rec
}

const (
	// every is how often a long recording gets the names of its new frames.
	every = 2 * time.Second
	// firstLook is when names are first prepared. Nobody waits then; what is left when the program ends, everybody does.
	firstLook = 50 * time.Millisecond
)

// Background names frames until stop is closed, and sends what it finds. It may wait for a debuginfod server: nothing
// waits for it before the end of a recording.
func (n *Names) Background(stop <-chan struct{}, send func(...eventlog.Record)) {
	wait := firstLook
	tick := time.NewTimer(wait)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		if wait == every {
			if recs := n.Resolve(); len(recs) > 0 {
				send(recs...)
			}
		} else {
			n.Prepare()
		}
		wait = min(3*wait, every)
		tick.Reset(wait)
	}
}

// Final names what is left, once all stacks have been added and no process writes to its perf map any more.
func (n *Names) Final() []eventlog.Record {
	n.perf.finish()
	return n.Resolve()
}
