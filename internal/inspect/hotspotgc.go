package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// collectorWords is how many words of a collector's object are searched, and of what it leads to.
const collectorWords, regionWords = 512, 96

// collector adds the collector's own data structures.
func (h *hotspot) collector() {
	h.cardTable()
	heap, ok := h.static("Universe::_collectedHeap")
	if !ok {
		return
	}
	h.offsetTable(heap)
	if !h.heapRange.Empty() {
		h.collectorObject(heap)
	}
	h.parallelSpaces()
	h.zTables(heap)
}

func (h *hotspot) gc(detail, evidence string, r vm.Range) {
	if r.Start < r.End && h.covered(r, anonymous) {
		h.addRange(classify.JVMGC, detail, evidence, r)
	}
}

// offsetTable adds the table of where objects begin in Serial's old generation (BlockOffsetSharedArray).
func (h *hotspot) offsetTable(heap uint64) {
	old, _ := h.member(heap, "GenCollectedHeap::_old_gen")
	table, ok := h.member(old, "CardGeneration::_bts")
	field := h.fields["BlockOffsetSharedArray::_vs"]
	if r, ok2 := h.virtualSpace(table + field.offset); ok && ok2 && field.offset != 0 {
		h.gc("block offset table", "the VM's BlockOffsetSharedArray and the rows", r)
	}
}

// virtualSpace reads the bounds of the VirtualSpace at addr.
func (h *hotspot) virtualSpace(addr uint64) (vm.Range, bool) {
	low, ok1 := h.member(addr, "VirtualSpace::_low_boundary")
	high, ok2 := h.member(addr, "VirtualSpace::_high_boundary")
	from, ok3 := h.member(addr, "VirtualSpace::_low")
	to, ok4 := h.member(addr, "VirtualSpace::_high")
	ok := ok1 && ok2 && ok3 && ok4 && low != 0 && low <= from && from <= to && to <= high && high-low <= 1<<40
	return vm.Range{Start: low, End: vm.PageUp(high)}, ok
}

// segmentMaps adds the map of segments of each code heap (CodeHeap::_segmap).
func (h *hotspot) segmentMaps() {
	heaps, ok := h.static("CodeCache::_heaps")
	if !ok {
		return
	}
	field := h.fields["CodeHeap::_segmap"]
	// A GrowableArray: its length and capacity, then, since JDK 17 at once, before it behind other words, its data.
	n, _ := h.half(heaps)
	for i := uint64(1); i < 4 && n > 0 && n <= 8; i++ {
		data, _ := h.word(heaps + 8*i)
		found := 0
		for k := range uint64(n) {
			heap, _ := h.word(data + 8*k)
			memory, ok := h.virtualSpace(heap + h.fields["CodeHeap::_memory"].offset)
			segments, ok2 := h.virtualSpace(heap + field.offset)
			if ok && ok2 && field.offset != 0 && memory.Overlaps(h.code) {
				found++
				if h.covered(segments, anonymous) {
					h.addRange(classify.JVMCodeCache, "segment map", "the VM's CodeHeap and the rows", segments)
				}
			}
		}
		if found > 0 {
			return
		}
	}
}

// collectorObject adds the tables that the object of G1 or Shenandoah points to, each recorded as a
// G1PageBasedVirtualSpace (start, end, tail size, page size) or a MemRegion (start, words). A table is recognised by
// its size, which is a fixed fraction of the heap's. It also adds G1's mark stack.
func (h *hotspot) collectorObject(heap uint64) {
	shares := map[uint64]string{}
	n := h.heapRange.Len()
	shares[vm.PageUp(n/32)], shares[vm.PageUp(n/64)], shares[vm.PageUp(n/512)] = "mark bitmap", "mark bitmap", "card or offset table"
	seen := map[uint64]bool{}
	look := func(w []uint64) {
		for i := 0; i+4 <= len(w); i++ {
			low, high := w[i], w[i+1]
			if low == 0 || !aligned(low) {
				continue
			}
			page := w[i+3]
			if detail := shares[high-low]; high > low && detail != "" && w[i+2] < vm.PageSize<<9 && (page == vm.PageSize || page == vm.PageSize<<9) {
				h.gc(detail, "the collector's record of it, and its share of the heap", vm.Range{Start: low, End: high})
			} else if detail := shares[high*8]; detail != "" && high < 1<<40 {
				h.gc(detail, "the collector's record of it, and its share of the heap", vm.RangeOf(low, high*8))
			}
		}
		h.markStack(w)
	}
	w := h.upTo(heap, collectorWords)
	look(w)
	for _, p := range w {
		if e := h.row(p); p%8 == 0 && e != nil && private(e) && !h.heapRange.Contains(p) && !seen[p] {
			seen[p] = true
			look(h.upTo(p, regionWords))
		}
	}
}

// markStack adds G1's global mark stack (G1CMMarkStack): the maximum number of chunks, their address, and how many
// there are, of 8 KiB each. VM flags give the maximum and the initial number, which is doubled when needed.
func (h *hotspot) markStack(w []uint64) {
	const chunk = 8 << 10
	most, least := h.flag("MarkStackSizeMax")/(chunk/8), h.flag("MarkStackSize")/(chunk/8)
	if least == 0 || most > 1<<24 {
		return
	}
	for i := 0; i+3 <= len(w); i++ {
		if n := w[i+2]; w[i] == most && n >= least && n <= most && n%least == 0 && w[i+1] != 0 {
			h.gc("mark stack", "the collector's record of it, whose lengths agree with the VM's flags", vm.RangeOf(w[i+1], n*chunk))
		}
	}
}

// parallelSpaces adds the memory of the PSVirtualSpaces of the Parallel collector (objects with a vtable): those that
// variables point to, which are mark bitmaps and region tables, and the one inside the old generation, its start
// array.
func (h *hotspot) parallelSpaces() {
	low, has := h.fields["PSVirtualSpace::_reserved_low_addr"]
	if !has {
		return
	}
	space := func(at uint64) {
		table, ok := h.word(at)
		if !ok || !h.image.Rows.Contains(table) {
			return
		}
		align, _ := h.member(at, "PSVirtualSpace::_alignment")
		from, _ := h.word(at + low.offset)
		to, _ := h.member(at, "PSVirtualSpace::_reserved_high_addr")
		committed, _ := h.member(at, "PSVirtualSpace::_committed_low_addr")
		until, ok := h.member(at, "PSVirtualSpace::_committed_high_addr")
		if ok && align >= vm.PageSize && align&(align-1) == 0 && from != 0 && from <= committed && committed <= until && until <= to && aligned(from) && aligned(to) && to-from <= 1<<40 {
			h.gc("", "the VM's PSVirtualSpace and the rows", vm.Range{Start: from, End: to})
		}
	}
	for _, p := range h.objects {
		space(p)
	}
	if old, ok := h.static("ParallelScavengeHeap::_old_gen"); ok && old != 0 {
		for i := range uint64(regionWords) {
			space(old + 8*i)
		}
	}
}

// zHeap adds the views of ZGC's heap: each view maps the whole range of object offsets, at the address that is the
// view's bit (ZGlobalsForVMStructs).
func (h *hotspot) zHeap() {
	globals, ok := h.static("ZGlobalsForVMStructs::_instance_p")
	if !ok || globals == 0 {
		return
	}
	pointed := func(name string) uint64 {
		at, _ := h.member(globals, "ZGlobalsForVMStructs::"+name)
		w, _ := h.word(at)
		return w
	}
	offsets := pointed("_ZAddressOffsetMask")
	if offsets == 0 || offsets&(offsets+1) != 0 || offsets >= vm.AddressMax/2 {
		return
	}
	h.zOffsets = offsets + 1
	f := classify.Finding{Kind: classify.JVMHeap, Confidence: classify.Certain, Evidence: "the VM's views of ZGC's heap and the rows"}
	metadata := pointed("_ZAddressMetadataMask")
	for view := offsets + 1; view < vm.AddressMax; view <<= 1 {
		if view&metadata == 0 {
			continue
		}
		for e := h.firstRow(view); e != nil && e.End <= view+offsets+1; e = h.firstRow(e.End) {
			if !h.claims.overlaps(e.Range) {
				f.Parts = append(f.Parts, classify.Part{Range: e.Range})
			}
		}
	}
	if len(f.Parts) > 0 {
		h.add(f)
	}
}

// zTables adds ZGC's tables with one entry per 2 MiB granule (ZGranuleMap: size, address), and the reservation for
// its mark stacks: a variable has its address and a flag its size.
func (h *hotspot) zTables(collected uint64) {
	if h.zOffsets == 0 || h.fields["ZCollectedHeap::_heap"].offset == 0 {
		return
	}
	heap := collected + h.fields["ZCollectedHeap::_heap"].offset // the object itself
	n := h.zOffsets / (2 << 20)
	for _, field := range [...]string{"ZHeap::_page_table", "ZHeap::_forwarding_table"} {
		w := h.words(heap+h.fields[field].offset, 2)
		if h.fields[field].offset != 0 && w != nil && w[0] == n && aligned(w[1]) {
			h.gc("granule table", "the collector's record of it and its length for all offsets", vm.RangeOf(w[1], n*8))
		}
	}
	limit := h.flag("ZMarkStackSpaceLimit")
	if limit == 0 || limit > 1<<45 || !aligned(limit) {
		return
	}
	const grow = 32 << 20 // ZMarkStackSpaceExpandSize
	for _, p := range h.objects {
		first, last := h.row(p), h.row(p+limit-1)
		if !aligned(p) || first == nil || last == nil {
			continue
		}
		// The kernel may merge either end with a neighbouring row; the part in use grows in fixed steps.
		if opened := first.End - p; first.Start == p || last.End == p+limit || opened%grow == 0 && opened < limit {
			h.gc("mark stacks", "a variable of the VM leads to it, and its length is that of the flag", vm.RangeOf(p, limit))
		}
	}
}
