package inspect

import (
	"debug/elf"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	isMmapped  = 2       // IS_MMAPPED of a chunk's size (malloc/malloc.c)
	largePages = 1 << 15 // in which chunks are searched that begin where no row does
)

// findLarge recognises chunks with a mapping of their own by their header: a zero, then the size, a multiple of the
// page size, with IS_MMAPPED set. The kernel may show adjacent chunks as one row, so one chunk may follow another.
// The second fact is that a chunk ends where a row or the next chunk starts; the third is malloc's own count of them,
// for a copy of a chunk has its header too. If there are more than malloc has counted, each of them is only a guess.
func findLarge(l *look) {
	libc := l.image(isGlibc)
	if libc == nil {
		return
	}
	var chunks []classify.Finding
	defer func() { l.addLarge(libc, chunks) }()
	for i := 0; i < len(l.Rows); i++ {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		// madvise on part of a chunk, MADV_HUGEPAGE for one, splits its VMA: join adjacent rows.
		r := e.Range
		for i+1 < len(l.Rows) && l.Rows[i+1].Start == r.End && private(&l.Rows[i+1]) && l.Rows[i+1].File.Path == "" {
			i++
			r.End = l.Rows[i].End
		}
		for _, r := range l.claims.free(r) {
			for at := r.Start; at < r.End; {
				at = l.largeIn(vm.Range{Start: at, End: r.End}, &chunks)
				// What follows in its own row may begin with a chunk again.
				e := l.row(at)
				if e == nil {
					break
				}
				at = e.End
			}
		}
	}
}

// largeIn appends the chunks that follow each other from the start of r on, and returns where they end.
func (l *look) largeIn(r vm.Range, chunks *[]classify.Finding) uint64 {
	var chain []vm.Range
	at := r.Start
	var w [2]uint64
	for at < r.End {
		size := uint64(0)
		if l.glance(w[:], at) && w[0] == 0 && w[1]&7 == isMmapped {
			size = w[1] &^ 7
		}
		if size < 2*vm.PageSize || !aligned(size) || size > r.End-at {
			break
		}
		chain = append(chain, vm.Range{Start: at, End: at + size})
		at += size
	}
	for i, c := range chain {
		f := classify.Finding{Kind: classify.GlibcLarge, Confidence: classify.Certain, Evidence: "the header of a chunk with a mapping of its own, which ends where the mapping or the next chunk does", Parts: []classify.Part{{Range: c}}}
		if e := l.row(c.End); i == len(chain)-1 && c.End != r.End && (e == nil || e.Start != c.End) {
			f.Confidence, f.Evidence = classify.Likely, "the header of a chunk with a mapping of its own"
		}
		*chunks = append(*chunks, f)
	}
	return at
}

// addLarge adds the chunks with the confidence that malloc's own figures allow.
func (l *look) addLarge(libc *Image, chunks []classify.Finding) {
	var bytes uint64
	for i := range chunks {
		bytes += chunks[i].Parts[0].Len()
	}
	n, sum, ok := l.mmapped(libc)
	if ok && uint64(len(chunks)) < n && bytes < sum {
		if more := l.largeBehind(chunks, n-uint64(len(chunks)), sum-bytes); more != nil {
			chunks, bytes = append(chunks, more...), sum
		}
	}
	for _, f := range chunks {
		switch {
		case !ok || uint64(len(chunks)) < n && bytes < sum:
			f.Confidence = classify.Likely
		case uint64(len(chunks)) == n && bytes == sum:
			f.Confidence = classify.Certain
			f.Evidence += "; malloc counts as many and as much"
		default:
			f.Confidence = classify.Guess
			f.Evidence += ", but malloc counts fewer"
		}
		l.add(f)
	}
}

// largeBehind returns the chunks that begin inside a row, because the kernel shows them and the mapping below them as
// one. n chunks with so many bytes in all are missing; it returns nil unless it finds exactly these.
func (l *look) largeBehind(known []classify.Finding, n, bytes uint64) (list []classify.Finding) {
	taken := rangeSet{}
	for _, f := range known {
		taken.put(f.Parts[0].Range)
	}
	pages := 0
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" {
			continue
		}
		end := e.Start // of the last one
		for at := range l.multiples(e, vm.PageSize) {
			var w [2]uint64
			if pages++; pages > largePages {
				return nil
			}
			if at < end || !l.glance(w[:], at) || w[0] != 0 || w[1]&7 != isMmapped {
				continue
			}
			r := vm.Range{Start: at, End: at + w[1]&^7}
			if r.Len() < 2*vm.PageSize || !aligned(r.End) || r.End > vm.AddressMax || taken.overlaps(r) || l.claims.overlaps(r) || !l.covered(r, private) {
				continue
			}
			if n == 0 || r.Len() > bytes {
				return nil
			}
			n, bytes, end = n-1, bytes-r.Len(), r.End
			list = append(list, classify.Finding{Kind: classify.GlibcLarge, Evidence: "the header of a chunk with a mapping of its own", Parts: []classify.Part{{Range: r}}})
		}
	}
	if n > 0 || bytes > 0 {
		return nil
	}
	return list
}

// addBehind adds the large chunks that begin where one has ended, in the same row.
func (l *look) addBehind(at uint64) {
	e := l.row(at)
	if e == nil || e.Start == at {
		return // a row of its own, which has been looked at
	}
	var chunks []classify.Finding
	l.largeIn(vm.Range{Start: at, End: e.End}, &chunks)
	for _, f := range chunks {
		if !l.claims.overlaps(f.Parts[0].Range) {
			f.Confidence = classify.Likely // malloc's count of them has not been held against these
			l.add(f)
		}
	}
}

// chunkAround returns the mapping out of which glibc's malloc has given the memory from addr on, aligned; it is empty where it has not. The header of the
// chunk (malloc/malloc.c) stands right before: how much was left out in front of it, and the size.
func (l *look) chunkAround(addr uint64) vm.Range {
	const header = 16
	w := l.words(addr-header, 2)
	if w == nil || w[1]&7 != isMmapped {
		return vm.Range{}
	}
	r := vm.Range{Start: addr - header - w[0], End: addr - header + w[1]&^7}
	if !aligned(r.Start) || !aligned(r.End) || !r.Contains(addr) || r.End > vm.AddressMax || !l.covered(r, anonymous) {
		return vm.Range{}
	}
	return r
}

// mmapped reads how many chunks have a mapping of their own, and their bytes, from struct malloc_par
// (malloc/malloc.c, mp_). No symbol names this variable of libc, so it is recognised by its values: sbrk_base equals
// the start of the heap or, if there is none, the limits have their defaults.
func (l *look) mmapped(libc *Image) (n, bytes uint64, ok bool) {
	var brk uint64
	if i := slices.IndexFunc(l.Rows, func(e vm.SmapsEntry) bool { return e.File.Path == "[heap]" }); i >= 0 {
		brk = l.Rows[i].Start
	}
	const maxDefault = 65536 // DEFAULT_MMAP_MAX
	return l.mallocParameters(libc, func(w []uint64, allowed uint64, mem []uint64) bool {
		if brk != 0 {
			return mem[2] == brk || mem[3] == brk
		}
		return mem[2] == 0 && allowed == maxDefault && w[2] != 0 && (w[0] == w[2] || w[0] == 2*w[2])
	})
}

// mallocParameters searches libc's writable data for struct malloc_par: the first place where its counters agree with
// each other and is returns true. is gets the words, n_mmaps_max, and the words from mmapped_mem on.
func (l *look) mallocParameters(libc *Image, is func(w []uint64, allowed uint64, mem []uint64) bool) (n, bytes uint64, ok bool) {
	w := make([]uint64, 14)
	for _, p := range libc.loads() {
		if p.Flags&elf.PF_W == 0 {
			continue
		}
		for at := (p.Vaddr + libc.Bias + 7) &^ 7; at < p.Vaddr+libc.Bias+p.Memsz; at += 8 {
			// The fields are trim_threshold, top_pad, mmap_threshold and two more words; since 2.35 three fields for
			// huge pages; the ints n_mmaps, n_mmaps_max, max_n_mmaps, no_dyn_threshold; then mmapped_mem,
			// max_mmapped_mem, up to 2.26 one more word, and sbrk_base.
			if !l.fill(w, at) {
				continue
			}
			for _, k := range [...]int{40, 60} {
				half := func(i int) uint64 { return w[(k+4*i)/8] >> ((k + 4*i) % 8 * 8) & (1<<32 - 1) }
				mem := w[(k+23)/8:]
				n, most := half(0), half(2)
				if n <= most && half(3) <= 1 && mem[0] <= mem[1] && aligned(mem[0]) && aligned(mem[1]) && mem[0] >= n*vm.PageSize && (n == 0) == (mem[0] == 0) && (most == 0) == (mem[1] == 0) &&
					is(w, half(1), mem) {
					return n, mem[0], true
				}
			}
		}
	}
	return 0, 0, false
}
