package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	paPool   = 16 << 30 // kCorePoolSize of Chromium's partition_alloc_constants.h: the length of a pool, which it begins at a multiple of
	paSetup  = 16       // words at most of a PoolSetup (partition_address_space.h)
	paUnused = ^uint64(0)
)

// findPartitionAlloc recognises what Chromium's PartitionAlloc reserves by the variables that say where its pools are: the
// regular one and that of checked pointers side by side, then that of V8's sandbox, which is a part of it, and in newer versions
// a region as long as a pool for the records of all, which has the places that the offsets from the pools lead to.
func findPartitionAlloc(l *look) {
	if !l.reserved(paPool, 2*paPool) {
		return
	}
	for _, m := range l.images {
		for at, x := range l.pairs(m) {
			if x[0]%paPool == 0 && x[1] == x[0]+paPool && l.paPools(at) {
				return
			}
		}
	}
}

// paPools adds the pools that the variables from addr on tell of, and reports whether they do.
func (l *look) paPools(addr uint64) bool {
	w := l.upTo(addr, paSetup)
	if len(w) < 3 || w[2] != paUnused && w[2]%(4<<30) != 0 {
		return false
	}
	pools := vm.Range{Start: w[0], End: w[0] + 2*paPool}
	if !l.rowsOf(pools) {
		return false
	}
	add := func(detail string, r vm.Range) {
		l.add(classify.Finding{Kind: classify.PartitionAlloc, Detail: detail, Confidence: classify.Certain,
			Evidence: "PartitionAlloc's variables side by side say where its pools are, and the rows are as long", Parts: l.partsOf(r)})
	}
	add("pools", pools)
	var records vm.Range
	for _, x := range w[3:] {
		if r := (vm.Range{Start: x, End: x + paPool}); aligned(x) && x != pools.Start && l.rowsOf(r) {
			records = r
		}
	}
	offsets := 0
	for _, x := range w[3:] {
		if records.Contains(x+w[0]) || records.Contains(x+w[1]) {
			offsets++
		}
	}
	if offsets > 1 {
		add("records", records)
	}
	return true
}
