package procfs

import (
	"github.com/vmblame/vmblame/internal/kernelfile"
	"github.com/vmblame/vmblame/internal/vm"
)

// smapsTries is how often smaps is read of a process that changes rows while they are read.
const smapsTries = 5

// Smaps reads /proc/TID/smaps: the rows of maps with their figures, ascending and apart from each other even where the process changes them
// meanwhile (vm.Newest). ErrGone where the mm has ended.
func Smaps(tid int) ([]vm.SmapsEntry, error) {
	var rows []vm.SmapsEntry
	for range smapsTries {
		p := vm.SmapsParser{Rows: rows[:0]}
		if err := kernelfile.Lines(path(tid, "smaps"), p.Parse); err != nil {
			return nil, err
		}
		var cut bool
		if rows, cut = vm.Newest(p.Rows); !cut {
			break
		}
	}
	if len(rows) == 0 {
		return nil, ErrGone
	}
	return rows, nil
}
