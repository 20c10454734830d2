package procfs

import (
	"os"

	"github.com/vmblame/vmblame/internal/vm"
)

// Pagemap counts pages by /proc/TID/pagemap, which it opens at the first question.
type Pagemap struct {
	TID  int
	file *os.File
	buf  [4096]byte
}

// Close gives the descriptor back, if there is one.
func (p *Pagemap) Close() {
	if p.file != nil {
		p.file.Close()
	}
}

// Present counts the pages of r that are in memory or in swap, 0 where that cannot be read.
func (p *Pagemap) Present(r vm.Range) (n uint64) {
	if p.file == nil {
		f, err := os.Open(path(p.TID, "pagemap"))
		if err != nil {
			return 0
		}
		p.file = f
	}
	for at := r.Start; at < r.End; {
		want := min(uint64(len(p.buf)), (r.End-at)/vm.PageSize*8)
		got, err := p.file.ReadAt(p.buf[:want], int64(at/vm.PageSize*8))
		for i := 7; i < got; i += 8 {
			if p.buf[i]&0xc0 != 0 { // bit 63 present, bit 62 swapped
				n++
			}
		}
		if err != nil || got < 8 {
			break
		}
		at += uint64(got) / 8 * vm.PageSize
	}
	return n
}
