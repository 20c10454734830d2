package procfs

import (
	"github.com/vmblame/vmblame/internal/kernelfile"
	"github.com/vmblame/vmblame/internal/vm"
)

// Smaps reads /proc/TID/smaps: the rows of maps with their figures. ErrGone where the mm has ended.
func Smaps(tid int) ([]vm.SmapsEntry, error) {
	var p vm.SmapsParser
	if err := kernelfile.Lines(path(tid, "smaps"), p.Parse); err != nil {
		return nil, err
	}
	if len(p.Rows) == 0 {
		return nil, ErrGone
	}
	return p.Rows, nil
}
