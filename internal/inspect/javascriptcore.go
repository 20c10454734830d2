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
)

func isJavaScriptCore(m *Image) bool {
	return strings.HasPrefix(m.name(), "libjavascriptcoregtk") || m.exported("JSGlobalContextCreate") != 0
}

// findJavaScriptCore recognises the reservations of WebKit's JavaScriptCore by what it writes once into its configuration
// (WebConfig::g_config, Gigacage::Config of bmalloc and JSC::Config): the beginning of the Gigacage, and of the heap of structures,
// each beside its length; the beginning and the end of the memory for code, which has a guard page at both; and libpas's records.
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
}
