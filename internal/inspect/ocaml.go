package inspect

import (
	"maps"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	ocamlPool    = 32 << 10 // bytes of a pool of small blocks (POOL_WSIZE of OCaml 5's runtime/caml/sizeclasses.h)
	ocamlHeader  = 4        // words of it before the blocks
	ocamlClasses = 32       // sizes of blocks that pools may have
	ocamlLists   = 4        // of a domain's pools for each of them
	ocamlOwner   = 131      // the word of the state of a domain's heap that names the domain, behind these lists
	ocamlState   = 96       // words in which the state of a domain leads to that
	ocamlDomains = 8 << 10  // words that an array of domains may have
	ocamlPools   = 1 << 17  // that are looked at, 4 GiB
)

// ocamlSizes are the words of the blocks of each class (wsize_sizeclass).
var ocamlSizes = [ocamlClasses]uint64{1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 19, 22, 25, 28, 32, 33, 37, 42, 47, 53, 59, 65, 73, 81, 89, 99, 108, 118, 128}

// ocaml is what is known of an OCaml 5 process.
type ocaml struct {
	*look
	minor   vm.Range        // all domains' minor heaps
	domains map[uint64]bool // their states
	pools   map[uint64]bool // where they begin
	empty   map[uint64]bool // where those may begin that have nothing but zeros
}

// isOCaml reports whether m contains the runtime of OCaml 5, by two of its exported variables.
func isOCaml(m *Image) bool {
	return m.exported("caml_minor_heaps_start") != 0 && m.exported("caml_minor_heaps_end") != 0
}

// findOCaml recognises the memory of OCaml 5: the minor heaps of all domains, one reservation whose ends are exported variables, and
// the pools of small blocks (runtime/shared_heap.c). Large blocks are malloc's, as is all of OCaml 4. A domain's state begins with its
// part of the minor heaps and leads to the lists of its pools, each of which names the domain and the size of its blocks. Pools of no
// domain are what variables lead to whose blocks are all in order, and empty ones beside others.
func findOCaml(l *look) {
	for _, m := range l.images {
		if !isOCaml(m) {
			continue
		}
		o := &ocaml{look: l, domains: map[uint64]bool{}, pools: map[uint64]bool{}, empty: map[uint64]bool{}}
		o.minor.Start, _ = l.word(m.exported("caml_minor_heaps_start"))
		o.minor.End, _ = l.word(m.exported("caml_minor_heaps_end"))
		if o.minor.Empty() || !aligned(o.minor.Start) || !aligned(o.minor.End) || o.minor.End > vm.AddressMax || !l.covered(o.minor, anonymous) {
			continue
		}
		for _, w := range l.variables(m) {
			o.domain(w, true)
		}
		if len(o.domains) == 0 || l.claims.overlaps(o.minor) {
			continue
		}
		l.add(classify.Finding{Kind: classify.OCaml, Detail: "minor heaps", Confidence: classify.Certain,
			Evidence: "two variables of OCaml's hold its ends, and a domain has its minor heap in it", Parts: l.partsOf(o.minor)})
		for d := range o.domains {
			o.owned(d)
		}
		for _, w := range l.variables(m) {
			o.ownerless(w)
		}
		o.addPools()
	}
}

// domain collects the domain whose state is at addr, or those of the array of domains there, whose elements begin with the number
// of the domain and the address of its state.
func (o *ocaml) domain(addr uint64, array bool) {
	if e := o.row(addr); e == nil || !private(e) || addr%8 != 0 {
		return
	}
	w := o.words(addr, 4) // young_limit, young_ptr, young_start, young_end
	switch {
	case w == nil || o.domains[addr]:
	case o.minor.Start <= w[2] && w[2] < w[3] && w[3] <= o.minor.End && w[2] <= w[1] && w[1] <= w[3] && aligned(w[2]):
		if o.covered(pages(w[2], w[3]-w[2]), private) {
			o.domains[addr] = true
		}
	case array && w[0] == 0:
		// Since 5.4 the thread stands between the two.
		o.domain(w[1], false)
		o.domain(w[2], false)
		if !o.domains[w[1]] && !o.domains[w[2]] {
			return
		}
		for at := addr + 8; at < addr+8*ocamlDomains; at += 8 {
			next, ok := o.word(at)
			if !ok {
				return
			}
			o.domain(next, false)
		}
	}
}

// owned collects the pools in the lists of a domain. Each must name that domain, or none: it was left behind by a
// domain that ended.
func (o *ocaml) owned(domain uint64) {
	for _, heap := range o.upTo(domain, ocamlState) {
		lists := o.words(heap, ocamlOwner+1)
		if heap%8 != 0 || lists == nil || lists[ocamlOwner] != domain {
			continue
		}
		for i, pool := range lists[:ocamlLists*ocamlClasses] {
			for pool != 0 && !o.pools[pool] && len(o.pools) < ocamlPools {
				w, ok := o.pool(pool)
				if !ok || w[2] != domain && w[2] != 0 || w[3]&(1<<32-1) != uint64(i%ocamlClasses) {
					break
				}
				o.pools[pool] = true
				pool = w[0]
			}
		}
	}
}

// pool reads the header of what may be a pool: the next one, its first free block, its domain, and the class of its blocks.
func (o *ocaml) pool(addr uint64) (w [ocamlHeader]uint64, ok bool) {
	r := vm.RangeOf(addr, ocamlPool)
	ok = aligned(addr) && addr != 0 && r.Len() == ocamlPool && o.covered(r, private) && !o.claims.overlaps(r) && o.glance(w[:], addr)
	return w, ok && w[3]&(1<<32-1) < ocamlClasses && (w[1] == 0 || r.Contains(w[1]))
}

// ownerless collects the pools without a domain, whose lists begin in variables: those that a domain has left when it ended, and
// those that nobody uses.
func (o *ocaml) ownerless(pool uint64) {
	for pool != 0 && !o.pools[pool] && !o.empty[pool] && len(o.pools)+len(o.empty) < ocamlPools {
		w, ok := o.pool(pool)
		switch class := w[3] & (1<<32 - 1); {
		case !ok || w[2] != 0:
			return
		case o.ordered(pool, class):
			o.pools[pool] = true
		case w[1] == 0 && class == 0:
			o.empty[pool] = true
		default:
			return
		}
		pool = w[0]
	}
}

// ordered reports whether the headers of all blocks of a pool fit its class. A free block has the header 0, and its
// next word points to another block of the pool. At least one header must not be 0.
func (o *ocaml) ordered(pool, class uint64) bool {
	var words [ocamlPool / 8]uint64
	if !o.fill(words[:], pool) {
		return false
	}
	size := ocamlSizes[class]
	first := ocamlHeader + (ocamlPool/8-ocamlHeader)%size
	seen := false
	for at := first; at < ocamlPool/8; at += size {
		header := words[at]
		if header>>10 >= size {
			return false
		}
		if header == 0 && size > 1 {
			next := words[at+1]
			if off := next - pool - 8*first; next != 0 && (next < pool+8*first || next >= pool+ocamlPool || off%(8*size) != 0) {
				return false
			}
			seen = seen || next != 0
		}
		seen = seen || header != 0
	}
	return seen
}

// addPools adds the pools; adjacent ones become one finding.
func (o *ocaml) addPools() {
	var set rangeSet
	// One that was never used has nothing but zeros: it is believed beside another one.
	empty := slices.Sorted(maps.Keys(o.empty))
	for range 2 {
		for _, p := range empty {
			if o.pools[p-ocamlPool] || o.pools[p+ocamlPool] {
				o.pools[p] = true
			}
		}
		slices.Reverse(empty)
	}
	for p := range o.pools {
		set.put(vm.RangeOf(p, ocamlPool))
	}
	for _, r := range set.ranges() {
		o.add(classify.Finding{Kind: classify.OCaml, Detail: "pools", Confidence: classify.Certain,
			Evidence: "lists of pools, which name their domain, or whose blocks are in order", Parts: o.partsOf(r)})
	}
}
