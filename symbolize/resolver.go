package symbolize

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/vmblame/vmblame/internal/elffile"
)

// Resolver names addresses. It keeps what it has loaded of a file until Release, and is to be used by one
// goroutine at a time.
type Resolver struct {
	opts   Options
	images map[*elffile.File]*image
	debugs map[*elffile.File]*elffile.File
	server servers
	cache  *nameCache
}

// New returns a Resolver that has loaded nothing.
func New(opts Options) *Resolver {
	return &Resolver{opts: opts, images: make(map[*elffile.File]*image), debugs: make(map[*elffile.File]*elffile.File),
		server: servers{absent: make(map[string]bool), down: make(map[string]bool)}, cache: openCache(opts.Cache)}
}

// UseDebug makes d the separate debug file of f, in preference to any under Options.DebugDirs, for example because it
// can only be opened now. It reports whether the build ids are equal; if they are not, it does nothing. d remains the
// caller's and must stay open as long as f.
func (r *Resolver) UseDebug(f, d *elffile.File) bool {
	if id := f.BuildID(); id == "" || d.BuildID() != id {
		return false
	}
	r.debugs[f] = d
	r.Release(f)
	return true
}

// Resolve names addresses of one file, in the file's own virtual addresses; the caller has already subtracted one
// from return addresses. It calls yield once for each distinct address that has a name, in any order. Data is loaded
// at the first call for f. f must stay open until Release or the last use of r. Many addresses in one call cost much
// less than as many calls.
func (r *Resolver) Resolve(f *elffile.File, addrs []uint64, yield func(addr uint64, s Symbol)) {
	qs := make([]query, 0, len(addrs))
	for _, a := range addrs {
		qs = append(qs, query{addr: a})
	}
	slices.SortFunc(qs, func(a, b query) int { return cmp.Compare(a.addr, b.addr) })
	qs = slices.CompactFunc(qs, func(a, b query) bool { return a.addr == b.addr })
	if len(qs) == 0 {
		return
	}
	m, ok := r.images[f]
	if !ok {
		m = openImage(f, r.debugs[f], r.opts, &r.server)
		m.names = r.cache.names(m)
		r.images[f] = m
	}
	if m.names != nil {
		if qs = m.names.take(qs, yield); len(qs) == 0 {
			return
		}
	}
	for _, s := range m.sources {
		s.answer(qs)
	}
	if m.names != nil && !m.unsure() {
		m.names.put(qs)
		m.names.write()
	}
	for i := range qs {
		if qs[i].named() {
			yield(qs[i].addr, qs[i].sym)
		}
	}
}

// FetchDebug returns the debug file of a build from the debuginfod servers of the options or their cache. The
// caller closes it.
func (r *Resolver) FetchDebug(buildID string) (*elffile.File, error) {
	if r.server.absent[buildID] {
		return nil, fmt.Errorf("debug file of build %s: no server has it", buildID)
	}
	f, err := r.opts.fetch(buildID, &r.server)
	if err != nil {
		r.server.absent[buildID] = true
	}
	return f, err
}

// Release drops what was loaded of f. Resolve may be called for f again.
func (r *Resolver) Release(f *elffile.File) {
	if m, ok := r.images[f]; ok {
		m.close()
		delete(r.images, f)
	}
}

// A source is one place that names of an image come from.
type source interface {
	// answer fills in the queries that it can. The queries are sorted by address and distinct. A query that already
	// has a name keeps it; a source may add missing details.
	answer(qs []query)
	close()
}

// A query is an address and what the sources have said about it so far.
type query struct {
	addr uint64
	sym  Symbol
	// file and line are set if a line table covers the address but no function was found.
	file string
	line int
	// wantLinkage asks for the linkage name of the last frame, for a function whose debugging information
	// has none though its language mangles names.
	wantLinkage bool
}

// named reports whether a source has named the address.
func (q *query) named() bool { return len(q.sym.Frames) > 0 }
