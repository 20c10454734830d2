package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// asanShadow are the low shadow, the gap and the high shadow of AddressSanitizer (compiler-rt's lib/asan/asan_mapping.h,
// which GCC has, too): an eighth of the addresses, 0x7fff8000 higher,
// by whole pages.
var asanShadow = [...]vm.Range{{Start: 0x7fff7000, End: 0x8fff7000}, {Start: 0x8fff7000, End: 0x02008fff7000}, {Start: 0x02008fff7000, End: 0x10007fff8000}}

// Where its allocator has its memory, all of which it reserves (asan_allocator.h, kAllocatorSpace).
const asanHeap, asanHeapSize = 0x600000000000, 4 << 40

// findSanitizer recognises the shadow of AddressSanitizer by its fixed place: the program has the sanitizer, and all three parts of
// the shadow are mapped, each beginning and ending where a row does, the gap between the others inaccessible.
func findSanitizer(l *look) {
	for i, r := range asanShadow {
		last := l.row(r.End - 1)
		ok := anonymous
		if i == 1 {
			ok = inaccessible
		}
		if !l.beginsRow(r.Start) || last == nil || last.End != r.End || !l.covered(r, ok) {
			return
		}
	}
	if l.image2(func(m *Image) bool { return m.exported("__asan_init") != 0 }) == nil {
		return
	}
	f := classify.Finding{Kind: classify.Sanitizer, Detail: "shadow of AddressSanitizer", Confidence: classify.Certain,
		Evidence: "the program has AddressSanitizer, and the rows are where it has its shadow"}
	for _, r := range asanShadow {
		f.Parts = append(f.Parts, l.partsOf(r)...)
	}
	l.add(f)
	r := vm.RangeOf(asanHeap, asanHeapSize)
	if l.beginsRow(r.Start) && l.covered(r, anonymous) {
		l.add(classify.Finding{Kind: classify.Sanitizer, Detail: "heap of AddressSanitizer", Confidence: classify.Certain,
			Evidence: "the program has AddressSanitizer, and all of the place of its allocator is mapped", Parts: l.partsOf(r)})
	}
}
