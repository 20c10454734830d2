package inspect

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	beamFlags     = 15  // of a carrier
	beamMapped    = 1   // MSEG_CARRIER_HDR_FLAG
	beamAllocator = 512 // words of an Allctr_t that are searched for its lists
	maxCarriers   = 1 << 16
	beamRecords   = 16 << 20 // bytes of malloc's memory, from its beginning on, that are searched for records of segments
	beamNear      = 4 << 10  // bytes that an allocator of segments has for its records
)

// isBEAM reports whether m is the virtual machine of Erlang, by its file name.
func isBEAM(m *Image) bool { return strings.HasPrefix(m.name(), "beam.") }

// findBEAM recognises the carriers of Erlang's allocators (Carrier_t of erts/emulator/beam/erl_alloc_util.h). A
// carrier starts with its size and flags, pointers to the next and the previous one, and a pointer to its allocator.
// It is accepted if a neighbour with the same allocator, or the allocator itself, points back to it. Carriers that nobody uses any more
// are kept for a while. Literals lie in a reservation whose address and length beam.smp exports.
func findBEAM(l *look) {
	m := l.image2(isBEAM)
	if m == nil {
		return
	}
	var todo []uint64
	for i := range l.Rows {
		if e := &l.Rows[i]; private(e) && e.File.Path == "" {
			todo = append(todo, e.Start)
		}
	}
	literals, _ := l.word(m.exported("erts_literals_start"))
	todo = append(todo, literals)
	seen := map[uint64]bool{}
	var found []vm.Range
	for len(todo) > 0 && len(seen) < maxCarriers {
		at := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if seen[at] || !aligned(at) {
			continue
		}
		seen[at] = true
		w := l.words(at, 4)
		if w == nil || w[0]&^(vm.PageSize-1) == 0 || w[0]%vm.PageSize > beamFlags {
			continue
		}
		pooled := w[3]&7 != 0 // one that any allocator may take
		if w[3] &^= 7; pooled {
			w[1], w[2] = 0, 0
		}
		if e := l.row(w[3]); e == nil || !private(e) {
			continue
		}
		r := vm.RangeOf(at, w[0]&^(vm.PageSize-1))
		if !l.covered(r, private) || !pooled && !l.beamLinked(at, w) || pooled && !l.beamPooled(at) {
			continue
		}
		if w[0]&beamMapped != 0 { // the others are malloc's
			found = append(found, r)
		}
		todo = append(todo, w[1], w[2], r.End)
	}
	slices.SortFunc(found, func(a, b vm.Range) int { return int(int64(a.Start - b.Start)) })
	for _, r := range found {
		l.add(classify.Finding{Kind: classify.BEAM, Detail: "carrier", Confidence: classify.Certain,
			Evidence: "the carrier names its allocator, and its neighbour or allocator the carrier", Parts: l.partsOf(r)})
	}
	l.beamKept()
	n, _ := l.word(m.exported("erts_literals_size"))
	r := vm.RangeOf(literals, n)
	if literals == 0 || !aligned(literals) || !aligned(n) || !l.covered(r, anonymous) {
		return
	}
	if last := l.row(r.End - 1); last.End == r.End {
		for _, x := range l.claims.free(r) { // what follows may be a part of a carrier
			l.add(classify.Finding{Kind: classify.BEAM, Detail: "literals", Confidence: classify.Certain,
				Evidence: "beam.smp says where its literals are, and the reservation ends there", Parts: l.partsOf(x)})
		}
	}
}

// beamLinked reports whether a neighbour of the carrier at addr, or its allocator, points to it.
func (l *look) beamLinked(addr uint64, w []uint64) bool {
	if w[1] != 0 {
		if back := l.words(w[1], 4); back == nil || back[2] != addr || back[3] != w[3] {
			return false
		}
	}
	if w[2] != 0 {
		next := l.words(w[2], 4)
		return next != nil && next[1] == addr && next[3] == w[3]
	}
	return w[1] != 0 || slices.Contains(l.upTo(w[3], beamAllocator), addr)
}

// beamPooled reports whether the carrier at addr is in a pool of carriers: a word of its ErtsAlcCPoolData_t points to
// that of the next carrier, whose following word points back. The lowest bits of the pointers are flags.
func (l *look) beamPooled(addr uint64) bool {
	w := l.words(addr, 24)
	for k := 4; k < len(w); k++ {
		next := w[k] &^ 7
		if e := l.row(next); next == 0 || e == nil || !private(e) {
			continue
		}
		if back, ok := l.word(next + 8); ok && back&^7 == addr+8*uint64(k) {
			return true
		}
	}
	return false
}

// beamKept adds the segments that are kept for new carriers (cache_t of erts/emulator/sys/common/erl_mseg.c). Their
// records (length, start, next and previous record) form rings; the length and start of unused records are 0.
func (l *look) beamKept() {
	for i := range l.Rows {
		e := &l.Rows[i]
		if e.File.Path != "[heap]" {
			continue
		}
		for at, seg := range l.scan(e.Intersect(vm.RangeOf(e.Start, beamRecords))) {
			if !aligned(seg) || seg < vm.PageSize || l.row(seg) == nil {
				continue
			}
			record := at - 8
			w := l.words(record, 4)
			if w == nil || w[0] == 0 || !aligned(w[0]) || w[0] > 1<<40 || w[2]-record+beamNear > 2*beamNear || w[3]-record+beamNear > 2*beamNear {
				continue
			}
			back, ok := l.word(w[2] + 24)
			forth, known := l.word(w[3] + 16)
			if r := vm.RangeOf(seg, w[0]); ok && known && back == record && forth == record && w[2] != record && l.covered(r, private) && !l.claims.overlaps(r) {
				l.add(classify.Finding{Kind: classify.BEAM, Detail: "carrier kept for reuse", Confidence: classify.Certain,
					Evidence: "a record of Erlang's, in a ring of records, has its beginning and its length", Parts: l.partsOf(r)})
			}
		}
	}
}
