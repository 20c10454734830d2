package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	ghcMegablock  = 1 << 20 // MBLOCK_SIZE of GHC's rts/include/rts/Constants.h
	ghcDescriptor = 64      // of a block of 4 KiB (bdescr of rts/include/rts/storage/Block.h)
	ghcFirst      = 256     // where the first of them stands that has a block, and
	ghcFirstBlock = 0x4000  // that block
)

// findGHC recognises the heap of GHC's runtime, which it reserves as a whole: its megablocks begin with descriptors
// of their blocks, and one of the program's variables says where the reservation begins, the next one where it ends
// (mblock_address_space of rts/sm/HeapAlloc.h).
func findGHC(l *look) {
	begins := map[uint64]bool{}
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" || e.Start%ghcMegablock != 0 || l.claims.overlaps(e.Range) {
			continue
		}
		w := l.words(e.Start+ghcFirst, 2)
		if w != nil && w[0] == e.Start+ghcFirstBlock && l.ghcBlocks(e.Start) {
			begins[e.Start] = true
		}
	}
	if len(begins) == 0 {
		return
	}
	for at, begin := range l.variablesOf(func(*Image) bool { return true }) {
		if !begins[begin] {
			continue
		}
		end, ok := l.word(at + 8)
		r := vm.Range{Start: begin, End: end}
		if !ok || end%ghcMegablock != 0 || end > vm.AddressMax || !l.covered(r, anonymous) {
			continue
		}
		// What was reserved to align it is left behind it.
		if e := l.row(end); e != nil && inaccessible(e) && e.Contains(end-1) && e.End-end <= ghcMegablock {
			r.End = e.End
		}
		l.add(classify.Finding{Kind: classify.GHC, Confidence: classify.Certain,
			Evidence: "descriptors of blocks, in the reservation that a variable of GHC's runtime tells of", Parts: l.partsOf(r)})
		return
	}
}

// ghcBlocks reports whether all descriptors of a megablock name their blocks, one after the other.
func (l *look) ghcBlocks(megablock uint64) bool {
	for i := uint64(ghcFirst / ghcDescriptor); i < ghcMegablock/vm.PageSize; i++ {
		if start, ok := l.word(megablock + i*ghcDescriptor); !ok || start != megablock+i*vm.PageSize {
			return false
		}
	}
	return true
}
