package inspect

import (
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	tcMetadata = 8 << 20 // kMetadataAllocChunkSize of gperftools' src/common.cc
	tcGap      = 512     // least number of zero bytes before the first word of a page map that points to a leaf
	tcTries    = 1 << 12 // words that are tried as such a first one
	tcFirst    = 4       // spans of a leaf that are tried
)

// tcShifts are the sizes of its pages that gperftools can be built for (kPageShift of src/common.h), the usual one first.
var tcShifts = [...]uint{13, 12, 15, 16, 18}

// hasTCMalloc reports whether a file contains gperftools' tcmalloc. It does if it is named libtcmalloc or exports
// tc_malloc, or if it exports malloc (or there is no shared glibc) and has the names of tcmalloc's environment
// variables among its constants.
func (l *look) hasTCMalloc(m *Image) bool {
	if strings.HasPrefix(m.name(), "libtcmalloc") || m.exported("tc_malloc") != 0 {
		return true
	}
	if m.exported("malloc") == 0 && l.image(isGlibc) != nil || isGlibc(m.name()) {
		return false
	}
	return m.says("TCMALLOC_")
}

// tcMap is a page map (TCMalloc_PageMap2 of gperftools' src/pagemap.h), a radix tree of two levels. It maps the
// number of a page of 1<<shift bytes to the struct Span (src/span.h) of the span that contains it, which starts with
// its first page and its number of pages.
type tcMap struct {
	root  uint64 // address of the root node, with a word for each leaf
	shift uint
}

func (t tcMap) leafBits() uint { return (48 - t.shift + 1) / 2 }

// findTCMalloc recognises the memory of gperftools' tcmalloc by its page map, which is one of its variables: the
// entries for both ends of a span point to the Span that says where they are. The part on the program break has the
// kernel's label already.
func findTCMalloc(l *look) {
	m := l.image2(l.hasTCMalloc)
	if m == nil {
		return
	}
	t, ok := l.tcPageMap(m)
	if !ok {
		return
	}
	var spans, meta rangeSet
	own := func(r vm.Range) bool {
		return l.covered(r, func(e *vm.SmapsEntry) bool { return private(e) && e.File.Path == "" })
	}
	for at, leaf := range l.scan(pages(t.root, 8<<(48-t.shift-t.leafBits()))) {
		if at < t.root {
			continue
		}
		first := (at - t.root) / 8 << t.leafBits()
		if first>>(48-t.shift) != 0 {
			break
		}
		meta.put(pages(leaf, 8<<t.leafBits()))
		for slot, record := range l.scan(pages(leaf, 8<<t.leafBits())) {
			if slot < leaf || slot >= leaf+8<<t.leafBits() {
				continue
			}
			start, length, ok := l.tcSpan(t, record)
			if !ok || start != first+(slot-leaf)/8 {
				continue
			}
			meta.put(pages(record, 16))
			if r := vm.RangeOf(start<<t.shift, length<<t.shift); own(r) {
				spans.put(r)
			}
		}
	}
	for _, r := range spans.ranges() {
		l.add(classify.Finding{Kind: classify.TCMalloc, Confidence: classify.Certain,
			Evidence: "both ends of a span lead to its record by tcmalloc's page map", Parts: l.partsOf(r)})
	}
	l.tcOwn(m, &meta)
}

// tcOwn adds the memory that tcmalloc maps for its own data, in pieces of 8 MiB: the current piece, whose free rest
// is in two adjacent variables (address, bytes), and the others, which contain records and whose neighbours leave a
// multiple of 8 MiB.
func (l *look) tcOwn(m *Image, meta *rangeSet) {
	claim := func(r vm.Range) {
		if l.covered(r, private) {
			l.add(classify.Finding{Kind: classify.TCMallocOwn, Confidence: classify.Certain,
				Evidence: "tcmalloc's page map and spans lie in a piece of the length that it takes for them", Parts: l.partsOf(r)})
		}
	}
	for _, x := range l.pairs(m) {
		free, n := x[0], x[1]
		if n < tcMetadata && aligned(free+n) && free+n >= tcMetadata {
			if r := (vm.Range{Start: free + n - tcMetadata, End: free + n}); meta.overlaps(r) && l.row(r.Start) != nil && l.row(r.Start).File.Path == "" {
				claim(r)
			}
		}
	}
	for _, x := range meta.ranges() {
		e := l.row(x.Start)
		if e == nil || !private(e) || e.File.Path != "" {
			continue
		}
		for _, free := range l.claims.free(e.Range) {
			if free.Overlaps(x) && free.Len()%tcMetadata == 0 {
				claim(free)
			}
		}
	}
}

// tcSpan reads the Span at record: its first page and its number of pages. The page map's entry for its last page
// must point back to it.
func (l *look) tcSpan(t tcMap, record uint64) (start, length uint64, ok bool) {
	if record%8 != 0 {
		return 0, 0, false
	}
	w := l.words(record, 2)
	if w == nil || w[0] == 0 || w[1] == 0 || w[0]>>(48-t.shift) != 0 || w[1]>>(48-t.shift) != 0 || (w[0]+w[1]-1)>>(48-t.shift) != 0 {
		return 0, 0, false
	}
	last := w[0] + w[1] - 1
	leaf, ok := l.word(t.root + last>>t.leafBits()*8)
	if !ok {
		return 0, 0, false
	}
	back, ok := l.word(leaf + last&(1<<t.leafBits()-1)*8)
	return w[0], w[1], ok && back == record
}

// tcPageMap finds the page map among the variables of a file. A page map is almost empty, so the search is for a word
// after many zeros that points to a leaf; the first page of a Span in that leaf then gives the word's index.
func (l *look) tcPageMap(m *Image) (tcMap, bool) {
	tries := 0
	last := uint64(0)
	for at, leaf := range l.variables(m) {
		gap := at - last
		last = at
		if e := l.row(leaf); gap < tcGap || leaf%8 != 0 || e == nil || !private(e) {
			continue
		}
		if tries++; tries > tcTries {
			break
		}
		for _, shift := range tcShifts {
			t := tcMap{shift: shift}
			n := 0
			for slot, record := range l.scan(pages(leaf, 8<<t.leafBits())) {
				if slot < leaf { // on its first page: a leaf that comes later lies behind records of spans
					continue
				}
				if n++; n > tcFirst {
					break
				}
				w := l.words(record, 1)
				if w == nil || w[0]>>(48-shift) != 0 || w[0]&(1<<t.leafBits()-1) != (slot-leaf)/8 {
					continue
				}
				if t.root = at - w[0]>>t.leafBits()*8; t.root > at || l.imageAt(t.root) != m {
					continue
				}
				if _, _, ok := l.tcSpan(t, record); ok {
					return t, true
				}
			}
		}
	}
	return tcMap{}, false
}
