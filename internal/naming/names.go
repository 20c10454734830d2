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
	options  Options
	resolver *symbolize.Resolver
	early    bool
	perf     perfMaps

	loaded []*elffile.File // files whose symbols the resolver keeps in memory, the most recently used last

	code    sync.Mutex // held while code in no file is named
	handing sync.Mutex // held from the moment at which names are no longer ready until they have been sent

	mu      sync.Mutex // guards the fields below
	known   map[int]*Source
	seen    map[eventlog.Place]struct{}
	todo    map[int][]uint64   // module id to addresses
	working map[int][]uint64   // being looked up in files
	ready   []*eventlog.Symbol // named ahead of Resolve
	left    bool               // what is not ready was left to others
}

// Source is where a module's names come from: its file, or the perf map of its process.
type Source struct {
	File   *elffile.File
	Debug  *elffile.File // its separate debug file as the tracee sees it, nil for none
	Intact func() bool   // reports whether the file still holds what was mapped
	Made   time.Time     // when the file was last written to before it was opened
	Label  string        // what "symtab" is called: "vdso" for the vdso
	Perf   *PerfMap

	debugged bool // the resolver knows Debug; it belongs to whoever calls Resolve
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
		options: o,
		resolver: symbolize.New(symbolize.Options{DebugDirs: o.DebugDirs, Debuginfod: o.Debuginfod, DebuginfodCacheOnly: o.Early,
			Cache: symbolize.DefaultCache()}),
		early: o.Early, perf: perfMaps{},
		known: make(map[int]*Source), seen: make(map[eventlog.Place]struct{}),
		todo: make(map[int][]uint64), working: make(map[int][]uint64),
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
	n.nameCode()
	return n.takeReady()
}

// nameCode names what Add has noted so far of code that has no file.
func (n *Names) nameCode() {
	n.code.Lock()
	defer n.code.Unlock()
	// Of files there is something again if it was added meanwhile: that is for the next time.
	todo := n.take(func(s *Source) bool { return s.Perf != nil })
	for _, id := range slices.Sorted(maps.Keys(todo)) {
		n.resolveCode(id, n.source(id).Perf, todo[id])
	}
}

// takeReady takes the names that are ready, by module and address.
func (n *Names) takeReady() []eventlog.Record {
	n.mu.Lock()
	list := n.ready
	n.ready = nil
	n.mu.Unlock()
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
		named := n.resolveFile(id, n.source(id), todo[id])
		n.mu.Lock()
		if delete(n.working, id); !n.left {
			n.ready = append(n.ready, named...)
		}
		n.mu.Unlock()
	}
}

// resolveFile names addresses of a file.
func (n *Names) resolveFile(id int, s *Source, addrs []uint64) (named []*eventlog.Symbol) {
	if !s.Intact() {
		return nil // other code is there now
	}
	if s.Debug != nil && !s.debugged {
		s.debugged = n.resolver.UseDebug(s.File, s.Debug)
	}
	n.resolver.Resolve(s.File, addrs, func(addr uint64, sym symbolize.Symbol) {
		named = append(named, symbolRecord(id, addr, sym, s.Label))
	})
	n.keep(s.File)
	return named
}

// take removes and returns the addresses of those modules whose source which accepts. Addresses of modules that have
// gone are dropped.
func (n *Names) take(which func(*Source) bool) map[int][]uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	taken := make(map[int][]uint64)
	for id, addrs := range n.todo {
		s := n.known[id]
		if s != nil && !which(s) {
			continue
		}
		if delete(n.todo, id); s == nil {
			continue
		}
		taken[id] = addrs
		if s.Perf == nil {
			n.working[id] = addrs
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
func (n *Names) resolveCode(id int, perf *PerfMap, addrs []uint64) {
	named := make(map[uint64]bool)
	var out []*eventlog.Symbol
	done := perf.resolve(addrs, n.early, func(addr uint64, sym symbolize.Symbol) {
		named[addr] = true
		out = append(out, symbolRecord(id, addr, sym, ""))
	})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ready = append(n.ready, out...)
	if done {
		delete(n.known, id)
		return
	}
	addrs = slices.DeleteFunc(addrs, func(a uint64) bool { return named[a] })
	if len(addrs) > 0 {
		n.todo[id] = append(n.todo[id], addrs...)
	}
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

// symbolRecord returns the record of an address's name. label replaces "symtab" as the source, unless it is "".
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
	// firstLook is when names are first prepared. Work done in the background delays nobody; work that is left when the
	// program ends delays the user.
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
		n.Prepare()
		if wait == every {
			n.nameCode()
			n.hand(send)
		}
		wait = min(3*wait, every)
		tick.Reset(wait)
	}
}

// hand sends the names that are ready, unless they were left to others.
func (n *Names) hand(send func(...eventlog.Record)) {
	n.handing.Lock()
	defer n.handing.Unlock()
	n.mu.Lock()
	left := n.left
	n.mu.Unlock()
	if left {
		return
	}
	if recs := n.takeReady(); len(recs) > 0 {
		send(recs...)
	}
}
