package record

import (
	"fmt"
	"time"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// undivided says why a row of the kernel's could not be divided between its mappings.
const undivided = "mappings of more than 128 GiB lie side by side in one row of the kernel's, and before Linux 6.7 it takes seconds to tell what each has"

// longest is how long a snapshot may stop the program, as estimated by walkTime.
const longest = 700 * time.Millisecond

// snapshot returns the ledger with the kernel's figures; nil if they cannot be read any more, or not soon enough.
func (r *Recorder) snapshot(sp *space, cause string) *eventlog.Snapshot {
	tid := sp.TID()
	if tid == 0 || sp.maps == nil {
		return nil
	}
	memory := procfs.MemoryOf(tid)
	if d := walkTime(memory); d > longest {
		r.withoutSnapshot(sp, fmt.Sprintf("it is so much, in small pages, that the program would have stood still for %v", d.Round(100*time.Millisecond)))
		return nil
	}
	rows, err := procfs.Smaps(tid)
	if err != nil {
		return nil
	}
	pages := procfs.Pagemap{TID: tid}
	defer pages.Close()
	// If inspection found an object that ends inside a row, each part gets its own figures.
	entries := classify.CutAtParts(sp.Ledger().List(), sp.content)
	mappings, ok := r.out.encoder.figures(entries, rows, &pages)
	if !ok {
		r.withoutSnapshot(sp, undivided)
		return nil
	}
	return &eventlog.Snapshot{T: r.out.now(), After: sp.events.Last(), Space: sp.id, Cause: cause, Mappings: mappings, System: r.around.system(tid, memory)}
}

// withoutSnapshot says once of a space why there is no snapshot of it.
func (r *Recorder) withoutSnapshot(sp *space, why string) {
	if !sp.uncounted {
		sp.uncounted = true
		n := uncounted(sp.pid, why)
		r.out.note(n.Level, n.Code, n.Text)
	}
}

// uncounted returns the note about a missing snapshot, without its time.
func uncounted(pid int, why string) *eventlog.Note {
	return &eventlog.Note{Level: "warning", Code: "uncounted", Text: fmt.Sprintf("pid %d: what is in memory was not counted: %s", pid, why)}
}

// walkTime estimates how long the kernel walks over page tables for smaps: 10 ms for each GiB of small anonymous pages,
// and 36 ms for each GiB of shared ones, for each of which it looks up who else maps it (Linux 6.18 at 3 GHz). The size
// of the page tables bounds both, since huge pages need none.
func walkTime(m procfs.Memory) time.Duration {
	const gib = 1 << 30
	of := func(bytes int64, each time.Duration) time.Duration {
		return time.Duration(float64(bytes) / gib * float64(each))
	}
	const shared = 36 * time.Millisecond
	return min(of(m.Anonymous, 10*time.Millisecond)+of(m.File+m.Shmem, shared), of(m.Tables/8*vm.PageSize, shared))
}

// figures lists entries with the kernel's figures of their rows. It reports false if a row that several entries share
// could not be divided.
func (enc *encoder) figures(entries []ledger.Entry, rows []vm.SmapsEntry, pages *procfs.Pagemap) ([]eventlog.SnapshotMapping, bool) {
	list := make([]eventlog.SnapshotMapping, len(entries))
	for k := range entries {
		e := &entries[k]
		list[k].Mapping = eventlog.Mapping{Start: eventlog.Hex(e.Start), End: eventlog.Hex(e.End), Attr: enc.attrOf(e)}
	}
	first := 0
	for i := range rows {
		row := &rows[i]
		for first < len(entries) && entries[first].End <= row.Start {
			first++
		}
		end := first
		for ; end < len(entries) && entries[end].Start < row.End; end++ {
			if entries[end].Contains(row.Start) {
				list[end].Rows++
			}
			if list[end].AnonName == "" {
				list[end].AnonName = row.AnonName
			}
		}
		if !addRow(list[first:end], row, pages) {
			return nil, false
		}
	}
	return list, true
}

// addRow adds the figures of a row of the kernel to the mappings that it shows. If it shows several, the figures are
// divided in proportion to their pages present or swapped, and the last one gets what rounding leaves over. If the
// process ran on since the mappings were listed, the row may have pages that are in none of them; their figures are
// left out. addRow reports whether the pages could be counted.
func addRow(list []eventlog.SnapshotMapping, row *vm.SmapsEntry, pages *procfs.Pagemap) bool {
	if row.Rss == 0 && row.Swap == 0 {
		return true
	}
	const kib = 1 << 10
	units := [...]uint64{vm.PageSize, kib, vm.PageSize, vm.PageSize, vm.PageSize, vm.PageSize, vm.PageSize} // in which each may be divided
	left := [...]uint64{row.Rss, row.Pss, row.PrivateDirty, row.Swap, row.Shared, row.Huge, row.Locked}
	parts, of := divided(list, row.Range)
	present := []uint64{0} // nothing is asked of one alone
	if len(parts) > 1 {
		var ok bool
		if present, ok = pages.Divide(parts, (row.Rss+row.Swap)/vm.PageSize); !ok {
			return false
		}
	}
	rest := uint64(0)
	for _, n := range present {
		rest += n
	}
	var none eventlog.SnapshotMapping
	for i, m := range of {
		if m == nil {
			m = &none
		}
		resident := uint64(0)
		for k, f := range [...]*uint64{&m.RSS, &m.PSS, &m.PrivateDirty, &m.Swap, &m.Shared, &m.Huge, &m.Locked} {
			v := left[k]
			if i < len(of)-1 {
				v = 0
				if rest != 0 {
					v = left[k] / units[k] * present[i] / rest * units[k]
				}
			}
			switch k {
			case 0:
				resident = v
			case 1:
				v = min(v, resident) // its unit is finer, so its share may be rounded down less
			}
			*f += min(v, parts[i].Len()) // pages may have come between the row's figures and the walk over its pages
			left[k] -= v
		}
		rest -= present[i]
	}
	return true
}

// divided cuts a range at the mappings in it. It returns the parts, ascending, and the mapping of each part, nil where
// there is none.
func divided(list []eventlog.SnapshotMapping, r vm.Range) (parts []vm.Range, of []*eventlog.SnapshotMapping) {
	at := r.Start
	for i := range list {
		x := r.Intersect(vm.Range{Start: uint64(list[i].Start), End: uint64(list[i].End)})
		if at < x.Start {
			parts, of = append(parts, vm.Range{Start: at, End: x.Start}), append(of, nil)
		}
		parts, of = append(parts, x), append(of, &list[i])
		at = x.End
	}
	if at < r.End {
		parts, of = append(parts, vm.Range{Start: at, End: r.End}), append(of, nil)
	}
	return parts, of
}
