package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	jscCage  = 1 << 30 // bytes of the smallest of JavaScriptCore's reservations that are looked for
	jscGuard = vm.PageSize

	// libpas, its malloc, keeps its own small records in one mapping, pas_compact_heap_reservation_size, of which three variables side by
	// side tell (pas_compact_heap_reservation.c): where it begins, less pasUnused bytes, how long it is, less those bytes, and how much
	// of it has been given out.
	pasCompact = 128 << 20
	pasUnused  = 16

	// What it maps beside that it lists for those who look from outside, in those records: blocks of an offset to the next one, in
	// words, how many ranges follow, and these (pas_enumerable_range_list.h).
	pasRanges = 10
	pasBlocks = 1 << 16 // that are read
)

// isJavaScriptCore reports whether m contains JavaScriptCore, by its file name or an exported function.
func isJavaScriptCore(m *Image) bool {
	return strings.HasPrefix(m.name(), "libjavascriptcoregtk") || m.exported("JSGlobalContextCreate") != 0
}

// findJavaScriptCore recognises the reservations of WebKit's JavaScriptCore by what it writes once into its configuration
// (WebConfig::g_config, Gigacage::Config of bmalloc and JSC::Config): the beginning of the Gigacage, and of the heap of structures,
// each beside its length; the beginning and the end of the memory for code, which has a guard page at both; and libpas's records. What
// libpas has mapped for blocks of its own, JavaScript's objects among them, stands in these.
func findJavaScriptCore(l *look) {
	m := l.image2(isJavaScriptCore)
	if m == nil {
		return
	}
	add := func(detail string, r vm.Range) {
		if !l.claims.overlaps(r) {
			l.add(classify.Finding{Kind: classify.JavaScriptCore, Detail: detail, Confidence: classify.Certain,
				Evidence: "two words of JavaScriptCore's configuration, side by side, hold its bounds, and the rows are as long", Parts: l.partsOf(r)})
		}
	}
	for _, x := range l.pairs(m) {
		first, w := x[0], x[1]
		if r := vm.RangeOf(first+pasUnused, pasCompact); w == pasCompact-pasUnused && aligned(r.Start) && l.rowsOf(r) {
			add("records", r)
			continue
		}
		if !aligned(first) || !aligned(w) {
			continue
		}
		if r := (vm.Range{Start: first, End: first + w}); w >= jscCage && w&(w-1) == 0 && first%w == 0 || w >= jscCage && w%jscCage == 0 && first%(4<<30) == 0 {
			if l.rowsOf(r) {
				detail := "heap of structures"
				if w > 4<<30 {
					detail = "Gigacage"
				}
				add(detail, r)
			}
			continue
		}
		e := l.row(first)
		if e == nil || e.Perms&vm.Exec == 0 || !anonymous(e) || w <= first {
			continue
		}
		r := vm.Range{Start: first, End: w}
		if r.Start-jscGuard == e.Start && l.row(w) != nil && l.row(w).End == w+jscGuard {
			r = vm.Range{Start: r.Start - jscGuard, End: r.End + jscGuard}
		}
		if l.rowsOf(r) {
			add("code", r)
		}
	}
	l.pasPages(m)
}

// pasPages adds the ranges that libpas lists as mapped. The list is believed only as a whole: together with the records
// it must add up to what libpas has counted. Reservations in the list are not counted.
func (l *look) pasPages(m *Image) {
	base, _ := l.word(m.exported("pas_compact_heap_reservation_base"))
	counted, ok := l.word(m.exported("pas_page_malloc_num_allocated_bytes"))
	records := vm.RangeOf(base+pasUnused, pasCompact)
	next, known := l.half(m.exported("pas_enumerable_page_malloc_page_list"))
	if !ok || !known || base == 0 || len(l.claims.free(records)) > 0 {
		return
	}
	var list []vm.Range
	sum := uint64(pasCompact)
	for n := 0; next != 0; n++ {
		var block [1 + 2*pasRanges]uint64
		at := base + 8*uint64(next)
		if n > pasBlocks || !records.Contains(at) || !l.fill(block[:], at) || block[0]>>32 > pasRanges {
			return
		}
		for w := block[1 : 1+2*(block[0]>>32)]; len(w) > 0; w = w[2:] {
			r := vm.Range{Start: w[0], End: w[1]}
			if r.Empty() || r.End > vm.AddressMax || !aligned(r.Start) || !aligned(r.End) {
				return
			}
			switch free := l.claims.free(r); {
			case len(free) == 0: // a reservation
			case free[0] == r && l.covered(r, anonymous):
				list, sum = append(list, r), sum+r.Len()
			default:
				return
			}
		}
		next = uint32(block[0])
	}
	if sum != counted {
		return
	}
	for _, r := range list {
		l.add(classify.Finding{Kind: classify.JavaScriptCore, Detail: "blocks", Confidence: classify.Certain,
			Evidence: "libpas's list of what it has mapped, which is as much as it counts", Parts: l.partsOf(r)})
	}
}
