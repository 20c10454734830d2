package inspect

import (
	"bytes"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// hotspot reads what libjvm exports about its own variables for the serviceability agent (src/hotspot/share/runtime/vmStructs.hpp):
// a table of types, fields and their addresses or offsets.
type hotspot struct {
	*look
	image  *Image
	fields map[string]hotspotField

	flags           map[string]uint64 // where their values are; nil before they were asked for
	heapRange, code vm.Range          // empty where they are not known
	zOffsets        uint64            // how many bytes of addresses ZGC's heap has in each view, 0 where it has none
	objects         []uint64          // the addresses that variables point to, ascending
}

type hotspotField struct {
	static  bool
	offset  uint64
	address uint64 // of a static one
}

// maxFields bounds the table, which has some 3,000 rows.
const maxFields = 1 << 14

func findHotSpot(l *look) {
	image := l.image(func(name string) bool { return name == "libjvm.so" })
	if image == nil {
		return
	}
	h := &hotspot{look: l, image: image, fields: map[string]hotspotField{}}
	if !h.readFields() {
		return
	}
	h.findObjects()
	h.heap()
	h.zHeap()
	h.codeCache()
	h.segmentMaps()
	h.archive(h.classSpace())
	h.metaspace()
	h.collector()
}

// variable reads the word at an exported symbol of libjvm.
func (h *hotspot) variable(symbol string) uint64 {
	at := h.image.exported(symbol)
	if at == 0 {
		return 0
	}
	w, _ := h.word(at)
	return w
}

// readFields reads the VM's own table of its fields (gHotSpotVMStructs, vmStructs.hpp) and reports whether it is
// complete.
func (h *hotspot) readFields() bool {
	table, stride := h.variable("gHotSpotVMStructs"), h.variable("gHotSpotVMStructEntryArrayStride")
	at := func(what string) uint64 { return h.variable("gHotSpotVMStructEntry" + what + "Offset") }
	typ, field, static, offset, address := at("TypeName"), at("FieldName"), at("IsStatic"), at("Offset"), at("Address")
	if table == 0 || stride < 40 || stride > 256 || max(typ, field, static, offset, address) >= stride {
		return false
	}
	for range maxFields {
		t, ok1 := h.word(table + typ)
		f, ok2 := h.word(table + field)
		s, ok3 := h.half(table + static)
		o, ok4 := h.word(table + offset)
		a, ok5 := h.word(table + address)
		if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
			return false
		}
		if t == 0 {
			return len(h.fields) > 0
		}
		h.fields[h.text(t)+"::"+h.text(f)] = hotspotField{s != 0, o, a}
		table += stride
	}
	return false
}

// text reads a string constant of the file.
func (h *hotspot) text(addr uint64) string {
	var b [64]byte
	n, _ := h.image.File.ReadVaddr(b[:], addr-h.image.Bias)
	if i := bytes.IndexByte(b[:n], 0); i >= 0 {
		return string(b[:i])
	}
	return ""
}

// static reads a static variable of one word.
func (h *hotspot) static(name string) (uint64, bool) {
	f, ok := h.fields[name]
	if !ok || !f.static {
		return 0, false
	}
	return h.word(f.address)
}

// member reads a member of one word of the object at addr.
func (h *hotspot) member(addr uint64, name string) (uint64, bool) {
	f, ok := h.fields[name]
	if !ok || f.static || addr == 0 {
		return 0, false
	}
	return h.word(addr + f.offset)
}

// add adds a range that the VM names, if the rows agree that it is its own mapping: private, of no file, and beginning
// where a row does.
func (h *hotspot) addRange(kind classify.Kind, detail, evidence string, r vm.Range) {
	if !aligned(r.Start) || !aligned(r.End) || r.Empty() || h.claims.overlaps(r) {
		return
	}
	f := classify.Finding{Kind: kind, Detail: detail, Confidence: classify.Certain, Evidence: evidence}
	at := r.Start
	for e, x := range h.within(r) {
		// Archived classes are mapped into the heap from a file.
		if anonymous(e) || kind == classify.JVMHeap {
			f.Parts = append(f.Parts, classify.Part{Range: x})
		}
		at = x.End
	}
	if at == r.End {
		h.add(f)
	}
}

// heap adds what the collector reserved (CollectedHeap::_reserved, a MemRegion of start and words).
func (h *hotspot) heap() {
	heap, ok := h.static("Universe::_collectedHeap")
	field, has := h.fields["CollectedHeap::_reserved"]
	if !ok || !has {
		return
	}
	start, ok1 := h.member(heap+field.offset, "MemRegion::_start")
	words, ok2 := h.member(heap+field.offset, "MemRegion::_word_size")
	if ok1 && ok2 && start != 0 && words < 1<<44 {
		h.heapRange = vm.RangeOf(start, words*8)
		h.addRange(classify.JVMHeap, "", "the VM's CollectedHeap and the rows", h.heapRange)
	}
}

// codeCache adds what lies between the bounds of the code cache.
func (h *hotspot) codeCache() {
	low, ok1 := h.static("CodeCache::_low_bound")
	high, ok2 := h.static("CodeCache::_high_bound")
	if ok1 && ok2 && low < high && high-low <= 4<<30 {
		h.code = vm.Range{Start: low, End: high}
		h.addRange(classify.JVMCodeCache, "", "the VM's CodeCache and the rows", h.code)
	}
}

// flag returns the value of a VM flag of 64 bits, 0 where the VM has none of that name.
func (h *hotspot) flag(name string) uint64 {
	if h.flags == nil {
		h.flags = h.readFlags()
	}
	v, _ := h.word(h.flags[name])
	return v
}

// readFlags reads the VM's table of flags (JVMFlag::flags): the address of each flag's value.
func (h *hotspot) readFlags() map[string]uint64 {
	table, ok := h.static("JVMFlag::flags")
	n, _ := h.static("JVMFlag::numFlags")
	nameAt, addrAt := h.fields["JVMFlag::_name"], h.fields["JVMFlag::_addr"]
	flags := map[string]uint64{}
	if !ok || n > maxFields || nameAt.offset == addrAt.offset {
		return flags
	}
	for _, size := range [...]uint64{24, 32, 40} { // a flag's record, which differs between versions
		for i := range n {
			name, _ := h.word(table + i*size + nameAt.offset)
			value, _ := h.word(table + i*size + addrAt.offset)
			if name == 0 {
				break // its end
			}
			if !h.image.Rows.Contains(name) || h.text(name) == "" {
				clear(flags)
				break
			}
			flags[h.text(name)] = value
		}
		if len(flags) > 0 {
			break
		}
	}
	return flags
}

// classSpace adds the reservation for classes, whose size a VM flag gives. It begins at the base of compressed class
// pointers or, if an archive of classes is mapped there, after that. It returns the reservation, empty if there is
// none.
func (h *hotspot) classSpace() vm.Range {
	base, ok := h.static("CompressedKlassPointers::_narrow_klass._base")
	size := h.flag("CompressedClassSpaceSize")
	if !ok || base == 0 || size == 0 || size > 4<<30 {
		return vm.Range{}
	}
	const most = 1 << 30 // of an archive
	for e := h.row(base); e != nil && e.Start < base+most; e = h.row(e.End) {
		r := vm.Range{Start: e.Start, End: e.Start + size}
		if last := h.row(r.End - 1); anonymous(e) && r.Start%(1<<20) == 0 && last != nil && last.End == r.End && h.covered(r, anonymous) {
			h.addRange(classify.JVMClassSpace, "", "the base of compressed class pointers, the size that the VM was given, and the rows", r)
			return r
		}
	}
	return vm.Range{}
}

// cardTable adds the collector's table of cards, a byte for 512 bytes of heap.
func (h *hotspot) cardTable() {
	set, ok := h.static("BarrierSet::_barrier_set")
	if !ok {
		return
	}
	table, ok1 := h.member(set, "CardTableBarrierSet::_card_table")
	start, ok2 := h.member(table, "CardTable::_byte_map")
	size, ok3 := h.member(table, "CardTable::_byte_map_size")
	if ok1 && ok2 && ok3 && size < 1<<40 {
		h.addRange(classify.JVMGC, "card table", "the VM's CardTable and the rows", vm.Range{Start: start, End: start + vm.PageUp(size)})
	}
}
