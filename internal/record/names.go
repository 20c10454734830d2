package record

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/symbolize"
)

// names turns the frames of stacks into symbol records, once for each distinct (module, address). It keeps
// what is still to be named; naming itself happens off the tracer's goroutine.
type names struct {
	resolver *symbolize.Resolver
	early    bool // names are wanted at once, so that perf maps are read while they are written

	mu     sync.Mutex // guards what follows
	known  map[int]*nameSource
	seen   map[place]struct{}
	loaded []*elffile.File  // what the resolver keeps in memory, the last used last
	todo   map[int][]uint64 // module id to addresses
}

type place struct {
	module int
	addr   uint64
}

// nameSource is where a module's names come from: its file, or the perf map of its process.
type nameSource struct {
	file   *elffile.File
	debug  *elffile.File // its separate debug file as the tracee sees it, nil for none
	intact func() bool   // the file still holds what was mapped; nil where it cannot change
	label  string        // what "symtab" is called: "vdso" for the vdso
	perf   *perfMap
}

func newNames(o *Options) *names {
	return &names{
		resolver: symbolize.New(symbolize.Options{DebugDirs: o.DebugDirs, Debuginfod: o.Debuginfod,
			// With --live the records of the tracees wait for their names.
			DebuginfodCacheOnly: o.Names}),
		early: o.Names,
		known: make(map[int]*nameSource), seen: make(map[place]struct{}), todo: make(map[int][]uint64),
	}
}

// module tells where the names of a module come from.
func (n *names) module(id int, s *nameSource) {
	n.mu.Lock()
	n.known[id] = s
	n.mu.Unlock()
}

// add takes note of a stack's addresses.
func (n *names) add(s *eventlog.Stack) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range s.Frames {
		f := &s.Frames[i]
		p := place{f.Module, uint64(f.Lookup())}
		if _, ok := n.seen[p]; ok || n.known[f.Module] == nil {
			continue
		}
		n.seen[p] = struct{}{}
		n.todo[f.Module] = append(n.todo[f.Module], p.addr)
	}
}

// resolve names what add has noted and returns the symbol records. One goroutine at a time may call it.
func (n *names) resolve() []eventlog.Record {
	n.mu.Lock()
	todo := n.todo
	n.todo = make(map[int][]uint64)
	n.mu.Unlock()
	var out []eventlog.Record
	for _, id := range slices.Sorted(maps.Keys(todo)) {
		addrs := todo[id]
		n.mu.Lock()
		s := n.known[id]
		n.mu.Unlock()
		if s.perf != nil {
			out = n.resolveCode(id, s.perf, addrs, out)
			continue
		}
		if s.intact != nil && !s.intact() {
			continue // other code stands there now
		}
		if s.debug != nil {
			n.resolver.UseDebug(s.file, s.debug)
			s.debug = nil
		}
		n.resolver.Resolve(s.file, addrs, func(addr uint64, sym symbolize.Symbol) {
			out = append(out, symbolRecord(id, addr, sym, s.label))
		})
		n.keep(s.file)
	}
	return out
}

// resolveCode names code that has no file. What has no name yet is asked for again until the process ends.
func (n *names) resolveCode(id int, perf *perfMap, addrs []uint64, out []eventlog.Record) []eventlog.Record {
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

func (n *names) keep(f *elffile.File) {
	n.loaded = slices.DeleteFunc(n.loaded, func(g *elffile.File) bool { return g == f })
	n.loaded = append(n.loaded, f)
	if len(n.loaded) > keepLoaded {
		n.resolver.Release(n.loaded[0])
		n.loaded = slices.Delete(n.loaded, 0, 1)
	}
}

func symbolRecord(module int, addr uint64, s symbolize.Symbol, label string) *eventlog.Symbol {
	rec := &eventlog.Symbol{Module: module, Offset: eventlog.Hex(addr), Source: s.Source}
	if label != "" {
		rec.Source = label
	}
	for _, f := range s.Frames {
		rec.Frames = append(rec.Frames, eventlog.SymbolFrame{
			Function: f.Function, LinkageName: f.LinkageName, Start: eventlog.Hex(f.Start),
			File: f.File, Line: f.Line, Inlined: f.Inlined,
		})
	}
	return rec
}

// nameEvery is how often a recording that lasts is given the names of its new frames.
const nameEvery = 2 * time.Second

// nameFrames runs beside the recording and names frames until stop is closed. It may wait for a debuginfod
// server as long as it likes: nobody waits for it before the end.
func (r *Recorder) nameFrames(stop, done chan struct{}) {
	defer close(done)
	if r.opts.Names {
		return // the sinks' goroutine does it
	}
	tick := time.NewTicker(nameEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			if recs := r.names.resolve(); len(recs) > 0 {
				r.queue.Send(recs...)
			}
		}
	}
}

// finalNames names what is left, once the sinks have caught up with all stacks.
func (r *Recorder) finalNames() []eventlog.Record {
	caught := make(chan struct{})
	r.queue.Send(mark(func() { close(caught) }))
	<-caught
	r.modules.finish()
	return r.names.resolve()
}
