package record

import (
	"strings"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// verify holds the ledger against the kernel's view. No call of the space may be in flight. Differences
// become drift with the guess given, growth of stacks apart, and the ledger is set right.
func (r *Recorder) verify(sp *space, guess string) {
	if sp.view == nil {
		return
	}
	rows, err := sp.view.All()
	if err != nil {
		return
	}
	r.checks++
	if !sp.ledger.Differs(rows) {
		return
	}
	if len(sp.growing) > 0 {
		r.noticeGrowth(sp)
		if rows, err = sp.view.All(); err != nil || !sp.ledger.Differs(rows) {
			return
		}
	}
	r.changes = sp.ledger.Reconcile(everything, rows, ledger.Origin{Cause: ledger.Drift}, r.changes[:0])
	if len(r.changes) > 0 {
		if guess == "unknown" {
			guess = guessDrift(r.changes)
		}
		r.drift(sp, r.changes, guess, 0)
	}
}

// guessDrift names the paths by which the kernel changes mappings without a call of the process
// (docs/architecture.md lists them).
func guessDrift(changes []ledger.Change) string {
	for _, c := range changes {
		e := c.Now
		if e == nil {
			e = c.Was
		}
		switch {
		case strings.HasPrefix(e.File.Path, "[uprobes"):
			return "uprobe"
		case strings.HasPrefix(e.File.Path, "/dev/"):
			return "driver ioctl"
		}
	}
	return "unknown"
}

// snapshot takes the ledger beside the kernel's figures; nil where they cannot be read any more.
func (r *Recorder) snapshot(sp *space, cause string) *eventlog.Snapshot {
	tid := r.anyTask(sp)
	if tid == 0 || sp.view == nil {
		return nil
	}
	rows, err := procfs.Smaps(tid)
	if err != nil {
		return nil
	}
	s := &eventlog.Snapshot{T: r.now(), After: sp.events.Last(), Space: sp.id, Cause: cause,
		Mappings: make([]eventlog.SnapshotMapping, 0, sp.ledger.Len())}
	pages := procfs.Pagemap{TID: tid}
	defer pages.Close()
	i := 0
	var share divider
	for e := range sp.ledger.All {
		m := eventlog.SnapshotMapping{Mapping: eventlog.Mapping{Start: eventlog.Hex(e.Start), End: eventlog.Hex(e.End), Attr: *r.encoder.attr(&e)}}
		for i < len(rows) && rows[i].End <= e.Start {
			i++
		}
		for j := i; j < len(rows) && rows[j].Start < e.End; j++ {
			share.add(&m, &rows[j], e.Range, &pages)
		}
		s.Mappings = append(s.Mappings, m)
	}
	return s
}

// divider gives each ledger entry its part of the figures of a kernel row. A row that is several mappings
// is divided by the pages that are present or swapped, which /proc/PID/pagemap tells; what remains of
// rounding goes with the row's last pages.
type divider struct {
	row  vm.Range
	left vm.SmapsEntry // what has not been given away
	rest uint64        // present pages of the row not yet given away
}

func (d *divider) add(m *eventlog.SnapshotMapping, row *vm.SmapsEntry, at vm.Range, pages *procfs.Pagemap) {
	if m.AnonName == "" {
		m.AnonName = row.AnonName
	}
	if at.Covers(row.Range) {
		m.RSS += row.Rss
		m.PSS += row.Pss
		m.PrivateDirty += row.PrivateDirty
		m.Swap += row.Swap
		return
	}
	if row.Rss == 0 && row.Swap == 0 {
		return
	}
	if d.row != row.Range {
		*d = divider{row: row.Range, left: *row, rest: pages.Present(row.Range)}
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
	d.rest -= min(n, d.rest)
}
