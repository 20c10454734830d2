package record

import (
	"slices"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
)

// Measure counts what of a space of a log is in memory now, by the smaps of its process, which another vmblame records:
// nothing stands still for it. It returns nil where the process is no longer there, or has become another one.
func Measure(sp *eventlog.SpaceState) *eventlog.Snapshot {
	if procfs.Exe(sp.PID) != sp.Exe {
		return nil
	}
	rows, err := procfs.Smaps(sp.PID)
	if err != nil {
		return nil
	}
	pages := procfs.Pagemap{TID: sp.PID}
	defer pages.Close()
	return &eventlog.Snapshot{After: sp.Last, Space: sp.ID, Cause: "interval", Mappings: newEncoder().figures(slices.Collect(sp.Ledger.All), rows, &pages)}
}
