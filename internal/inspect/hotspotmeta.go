package inspect

import (
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	// metaspaceRoot is the size of a root chunk of metaspace, of which a node is a multiple (memory/metaspace/chunklevel.hpp).
	metaspaceRoot = 4 << 20
	// maxNodes bounds the nodes of metaspace.
	maxNodes = 1 << 14
)

// metaspace adds the nodes of metaspace (memory/metaspace since JDK 16). A variable points to the MetaspaceContext,
// which starts with its name, a string constant of the file, and a pointer to its list of nodes, which has the same
// name. A node has its range twice: in bytes, as a ReservedSpace, and in words.
func (h *hotspot) metaspace() {
	for _, context := range h.objects {
		name, ok := h.word(context)
		if !ok || !h.image.Rows.Contains(name) || h.text(name) != "non-class-space" {
			continue
		}
		list, _ := h.word(context + 8)
		head := h.words(list, 3) // vtable, name, first node
		if head == nil || head[1] != name || !h.image.Rows.Contains(head[0]) {
			continue
		}
		node := head[2]
		for n := 0; node != 0 && n < maxNodes; n++ {
			w := h.words(node, 24)
			if w == nil {
				break
			}
			base, size := w[1], w[2]
			if size == 0 || size%metaspaceRoot != 0 || size > 1<<40 || base%metaspaceRoot != 0 || !twice(w[3:], base, size/8) {
				break
			}
			h.addRange(classify.JVMMetaspace, "", "the VM's list of metaspace nodes and the rows", vm.RangeOf(base, size))
			node = w[0]
		}
	}
}

// findObjects records what variables of the VM point to.
func (h *hotspot) findObjects() {
	for _, p := range h.variables(h.image) {
		if p%8 == 0 && !h.image.Rows.Contains(p) {
			h.objects = append(h.objects, p)
		}
	}
	slices.Sort(h.objects)
	h.objects = slices.Compact(h.objects)
	var last *vm.SmapsEntry
	h.objects = slices.DeleteFunc(h.objects, func(p uint64) bool {
		if last == nil || !last.Contains(p) {
			last = h.row(p)
		}
		return last == nil || !private(last)
	})
}

// twice reports whether a and b are neighbours in w.
func twice(w []uint64, a, b uint64) bool {
	for i := 1; i < len(w); i++ {
		if w[i-1] == a && w[i] == b {
			return true
		}
	}
	return false
}

// archive adds the CDS archive of classes and the padding behind it, from the base of compressed class pointers to
// the class space, which starts at the next multiple of its alignment.
func (h *hotspot) archive(classes vm.Range) {
	base, ok1 := h.static("MetaspaceObj::_shared_metaspace_base")
	top, ok2 := h.static("MetaspaceObj::_shared_metaspace_top")
	const align = 16 << 20 // of the class space behind an archive (memory/metaspace.hpp, reserve_alignment)
	if !ok1 || !ok2 || base == 0 || top <= base || top-base > 1<<30 || !aligned(base) || !aligned(top) {
		return
	}
	r := vm.Range{Start: base, End: top}
	if end := (top + align - 1) &^ (align - 1); classes.Start == end {
		r.End = end
	}
	if h.covered(r, func(e *vm.SmapsEntry) bool { return e.Perms&vm.Shared == 0 }) {
		h.add(classify.Finding{Kind: classify.JVMCDS, Confidence: classify.Certain, Evidence: "the VM's bounds of the archive and the rows", Parts: h.partsOf(r)})
	}
}
