package procfs

import (
	"github.com/vmblame/vmblame/internal/kernelfile"
	"github.com/vmblame/vmblame/internal/vm"
)

// Smaps reads /proc/TID/smaps: the rows of maps with their figures. ErrGone where the mm has ended.
func Smaps(tid int) ([]vm.SmapsEntry, error) {
	text, err := kernelfile.Read(path(tid, "smaps"))
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, ErrGone
	}
	return vm.ParseSmaps(nil, text)
}
