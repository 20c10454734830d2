package inspect

import (
	"bytes"
	"cmp"
	"debug/elf"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	goArena = 64 << 20 // heapArenaBytes of 64-bit Linux (runtime/malloc.go)
	// The heap's map has an entry for each arena of a 48-bit address space; the lower half of it is for the upper half of
	// the addresses (arenaBaseOffset).
	goMapSize  = (1 << 48) / goArena * 8
	goMapBase  = (1 << 47) / goArena * 8
	goMapWords = 1 << 16 // arenas that are looked at: 4 TiB
	goMapParts = 1 << 12 // parts of a row that are in memory and are looked at
	goTries    = 1 << 12 // places where the map may be that are looked at
)

// isGo reports whether a file was built by Go: it has the section that `go version` reads.
func (m *Image) isGo() bool {
	if _, ok := m.File.Section(".go.buildinfo"); ok {
		return true
	}
	// A file without sections has it at the start of its data.
	for _, p := range m.File.Progs() {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_W != 0 {
			var b [14]byte
			n, _ := m.File.ReadVaddr(b[:], (p.Vaddr+15)&^15)
			return n == len(b) && bytes.Equal(b[:], []byte("\xff Go buildinf:"))
		}
	}
	return false
}

// findGo recognises the heap of a Go program by the runtime's arena index (mheap.arenas): a reservation of 32 MiB, in
// which each word that is not 0 points to a heapArena and the word's position is the address of the arena. If all
// words point to private memory and all of the arenas are mapped, it is that index.
func findGo(l *look) {
	image := l.image2((*Image).isGo)
	if image == nil {
		return
	}
	arenas, heap := l.goArenas()
	if arenas == nil {
		return
	}
	for _, r := range arenas.ranges() {
		l.add(classify.Finding{Kind: classify.GoHeap, Confidence: classify.Certain, Evidence: "the runtime's map of its arenas", Parts: l.partsOf(r)})
	}
	l.goOwn(image, heap)
}

// goArenas finds the arena index. It returns the arenas in it, nil if there is none, and its address.
func (l *look) goArenas() (*rangeSet, uint64) {
	// The possible addresses of arenas, by the offset that their entry has in its page of the index.
	var starts [vm.PageSize / 8][]uint64
	n, tries := 0, 0
	for i := range l.Rows {
		e := &l.Rows[i]
		for at := (e.Start + goArena - 1) &^ (goArena - 1); anonymous(e) && at < e.End && n < goMapWords; at += goArena {
			k := at / goArena % (vm.PageSize / 8)
			starts[k] = append(starts[k], at)
			n++
		}
	}
	// The index is sparse, with one entry for 64 MiB: rows with the fewest resident pages are tried first. The heap
	// itself is full of pointers, which would use up the tries.
	type candidate struct {
		*vm.SmapsEntry
		parts    []vm.Range
		resident uint64
	}
	var rows []candidate
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.Len() < goMapSize/2 {
			continue
		}
		c := candidate{SmapsEntry: e}
		for res := range l.Memory.Resident(e.Range) {
			if c.resident += res.Len(); len(c.parts) < goMapParts {
				c.parts = append(c.parts, res)
			}
		}
		rows = append(rows, c)
	}
	slices.SortStableFunc(rows, func(a, b candidate) int { return cmp.Compare(a.resident, b.resident) })
	for _, e := range rows {
		for _, res := range e.parts {
			if res.Len() > 1<<20 {
				continue
			}
			for at, w := range l.scan(res) {
				if w%8 != 0 || l.row(w) == nil {
					continue
				}
				for _, s := range starts[at%vm.PageSize/8] {
					base := at - goMapBase - s/goArena*8
					if base > at || base < e.Start || base+goMapSize > e.End {
						continue
					}
					if tries++; tries > goTries {
						return nil, 0
					}
					if set := l.goMap(base); set != nil {
						return set, base
					}
				}
			}
		}
	}
	return nil, 0
}

// goMap reads the map at base, nil where it is none.
func (l *look) goMap(base uint64) *rangeSet {
	set, n := &rangeSet{}, 0
	for at, w := range l.scan(vm.Range{Start: base, End: base + goMapSize}) {
		start := (at - base - goMapBase) / 8 * goArena
		r := vm.Range{Start: start, End: start + goArena}
		to := l.row(w)
		if at < base+goMapBase || n == goMapWords || to == nil || !private(to) || !l.covered(r, anonymous) {
			return nil
		}
		set.add(r)
		n++
	}
	if n == 0 {
		return nil
	}
	return set
}
