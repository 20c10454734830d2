package record

import (
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// snapshot returns the ledger with the kernel's figures; nil if they cannot be read any more.
func (r *Recorder) snapshot(sp *space, cause string) *eventlog.Snapshot {
	tid := sp.TID()
	if tid == 0 || sp.maps == nil {
		return nil
	}
	rows, err := procfs.Smaps(tid)
	if err != nil {
		return nil
	}
	pages := procfs.Pagemap{TID: tid}
	defer pages.Close()
	// If inspection found an object that ends inside a row, each part gets its own figures.
	entries := classify.CutAtParts(slices.Collect(sp.Ledger().All), sp.content)
	return &eventlog.Snapshot{T: r.out.now(), After: sp.events.Last(), Space: sp.id, Cause: cause, Mappings: r.out.encoder.figures(entries, rows, &pages),
		System: r.around.system(tid)}
}

// figures lists entries with the kernel's figures of their rows.
func (enc *encoder) figures(entries []ledger.Entry, rows []vm.SmapsEntry, pages *procfs.Pagemap) []eventlog.SnapshotMapping {
	list := make([]eventlog.SnapshotMapping, 0, len(entries))
	i := 0
	var share rowShares
	for k := range entries {
		e := &entries[k]
		m := eventlog.SnapshotMapping{Mapping: eventlog.Mapping{Start: eventlog.Hex(e.Start), End: eventlog.Hex(e.End), Attr: *enc.attr(e)}}
		for i < len(rows) && rows[i].End <= e.Start {
			i++
		}
		for j := i; j < len(rows) && rows[j].Start < e.End; j++ {
			share.add(&m, &rows[j], e.Range, pages)
			if e.Contains(rows[j].Start) {
				m.Rows++
			}
		}
		list = append(list, m)
	}
	return list
}

// rowShares gives each ledger entry its part of the figures of a kernel row. A row shared by several mappings is
// divided by pages present or swapped, from /proc/PID/pagemap; the rounding remainder goes to the row's last pages.
type rowShares struct {
	row  vm.Range
	left vm.SmapsEntry // not yet distributed
	rest uint64        // present pages of the row not yet distributed
}

func (d *rowShares) add(m *eventlog.SnapshotMapping, row *vm.SmapsEntry, at vm.Range, pages *procfs.Pagemap) {
	if m.AnonName == "" {
		m.AnonName = row.AnonName
	}
	if at.Covers(row.Range) {
		m.RSS += row.Rss
		m.PSS += row.Pss
		m.PrivateDirty += row.PrivateDirty
		m.Swap += row.Swap
		m.Shared += row.Shared
		m.Huge += row.Huge
		m.Locked += row.Locked
		return
	}
	if row.Rss == 0 && row.Swap == 0 {
		return
	}
	if d.row != row.Range {
		*d = rowShares{row: row.Range, left: *row, rest: pages.Present(row.Range)}
	}
	x := at.Intersect(row.Range)
	n := pages.Present(x)
	part := func(left *uint64) uint64 {
		v := *left
		if x.End < row.End {
			if d.rest == 0 {
				return 0
			}
			v = *left / vm.PageSize * n / d.rest * vm.PageSize
		}
		*left -= v
		return v
	}
	m.RSS += part(&d.left.Rss)
	m.PSS += part(&d.left.Pss)
	m.PrivateDirty += part(&d.left.PrivateDirty)
	m.Swap += part(&d.left.Swap)
	m.Shared += part(&d.left.Shared)
	m.Huge += part(&d.left.Huge)
	m.Locked += part(&d.left.Locked)
	d.rest -= min(n, d.rest)
}
