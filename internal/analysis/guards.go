package analysis

import (
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// Advice of madvise(2) about guard regions, since Linux 6.13 (include/uapi/asm-generic/mman-common.h).
const (
	adviseGuard   = 102 // MADV_GUARD_INSTALL
	adviseUnguard = 103 // MADV_GUARD_REMOVE
)

// guards are the guard regions (MADV_GUARD_INSTALL) of each address space: inaccessible pages in accessible mappings,
// which the kernel does not show in maps. Guard regions that mremap has moved are not followed.
type guards map[int]*ledger.Ledger

// begin handles the start of an address space. A fork child inherits its parent's regions.
func (g guards) begin(r *eventlog.Space) {
	if r.Cause == "fork" && r.Parent != nil && g[*r.Parent] != nil {
		g[r.Space] = g[*r.Parent].Clone()
	}
}

// put takes an event.
func (g guards) put(r *eventlog.Event) {
	of := g[r.Space]
	if r.Call == "madvise" && r.Error == "" {
		var at vm.Range
		advice := int64(0)
		for _, a := range r.Args {
			switch a.Name {
			case "addr":
				at.Start = vm.PageDown(uint64(a.Value))
			case "length":
				at.End = uint64(a.Value)
			case "advice":
				advice = a.Value
			}
		}
		at.End = vm.PageUp(at.Start + at.End)
		switch {
		case at.Empty():
		case advice == adviseGuard:
			if of == nil {
				of = ledger.New()
				g[r.Space] = of
			}
			of.Remove(at, nil)
			of.Add(ledger.Entry{Mapping: vm.Mapping{Range: at}}, nil)
		case advice == adviseUnguard && of != nil:
			of.Remove(at, nil)
		}
	}
	if of == nil {
		return
	}
	for i := range r.Changes {
		c := &r.Changes[i]
		if c.Now == nil || c.Now.Origin != nil && *c.Now.Origin == r.Seq {
			of.Remove(vm.Range{Start: uint64(c.Start), End: uint64(c.End)}, nil)
		}
	}
}

// in returns how many bytes of r are guard regions of a space.
func (g guards) in(space int, r vm.Range) (bytes int64) {
	if of := g[space]; of != nil {
		of.Overlapping(r, func(e ledger.Entry) bool {
			bytes += int64(e.Intersect(r).Len())
			return true
		})
	}
	return bytes
}
