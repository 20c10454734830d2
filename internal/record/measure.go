package record

import (
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
)

// Measure returns a snapshot of a space whose process is being recorded by another vmblame, read from the process's
// smaps without stopping it. It returns nil if the process has ended or has executed another program, or if its
// memory cannot be divided between its mappings (figures).
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
	list, ok := newEncoder().figures(sp.Ledger.List(), rows, &pages)
	if !ok {
		return nil
	}
	return &eventlog.Snapshot{After: sp.Last, Space: sp.ID, Cause: "interval", Mappings: list}
}
