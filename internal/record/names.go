package record

import (
	"maps"
	"slices"
	"sync"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/symbolize"
)

// names turns the frames of stacks into symbol records, once for each distinct (module, address). It keeps
// what is still to be named; naming itself happens off the tracer's goroutine.
type names struct {
	resolver *symbolize.Resolver

	mu      sync.Mutex // guards what follows
	files   map[int]*elffile.File
	sources map[int]string // what "symtab" is called for a module: "vdso" for the vdso
	seen    map[place]struct{}
	loaded  []*elffile.File  // what the resolver keeps in memory, the last used last
	todo    map[int][]uint64 // module id to addresses
}

type place struct {
	module int
	addr   uint64
}

func newNames() *names {
	return &names{
		resolver: symbolize.New(symbolize.Options{}),
		files:    make(map[int]*elffile.File), sources: make(map[int]string),
		seen: make(map[place]struct{}), todo: make(map[int][]uint64),
	}
}

// module tells which file a module id stands for.
func (n *names) module(id int, f *elffile.File, source string) {
	n.mu.Lock()
	n.files[id], n.sources[id] = f, source
	n.mu.Unlock()
}

// add takes note of a stack's addresses.
func (n *names) add(s *eventlog.Stack) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range s.Frames {
		f := &s.Frames[i]
		p := place{f.Module, uint64(f.Offset)}
		if f.Call {
			p.addr--
		}
		if _, ok := n.seen[p]; ok || n.files[f.Module] == nil {
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
		f, source := n.files[id], n.sources[id]
		n.mu.Unlock()
		n.resolver.Resolve(f, addrs, func(addr uint64, s symbolize.Symbol) {
			out = append(out, symbolRecord(id, addr, s, source))
		})
		n.keep(f)
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

func symbolRecord(module int, addr uint64, s symbolize.Symbol, source string) *eventlog.Symbol {
	rec := &eventlog.Symbol{Module: module, Offset: eventlog.Hex(addr), Source: s.Source}
	if source != "" {
		rec.Source = source
	}
	for _, f := range s.Frames {
		rec.Frames = append(rec.Frames, eventlog.SymbolFrame{
			Function: f.Function, LinkageName: f.LinkageName, Start: eventlog.Hex(f.Start),
			File: f.File, Line: f.Line, Inlined: f.Inlined,
		})
	}
	return rec
}
