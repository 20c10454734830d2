package inspect

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	maxLinkMaps = 1 << 14
	// linkMapSize bounds the bytes of a struct link_map (include/link.h) and the name after it.
	linkMapSize = 1024
	// loaderLeast is the least that glibc's loader maps for its own malloc: the bytes needed, and one more page
	// (elf/dl-minimal-malloc.c).
	loaderLeast = 2 * vm.PageSize
)

// findLoader recognises the memory that glibc's loader allocates before malloc is available by what it must contain:
// the link maps of the initially loaded objects, which _r_debug points to, and the first thread's control block. Each
// is checked: a link map names an image, and its neighbours in the list point to it.
func findLoader(l *look) {
	ld := l.image(isLoader)
	if ld == nil {
		return
	}
	var facts rangeSet // pages that hold something of the loader's
	note := func(r vm.Range) {
		for at := vm.PageDown(r.Start); at < r.End; at += vm.PageSize {
			if page := vm.RangeOf(at, vm.PageSize); !facts.overlaps(page) {
				facts.add(page)
			}
		}
	}
	l.linkMaps(ld, note)
	for i := range l.Threads {
		t := &l.Threads[i]
		if t.TID != l.PID {
			continue
		}
		if t.FSBase != 0 {
			l.firstThread(t.FSBase, t.own(), note)
		}
		for at := range l.glibcThreads() {
			l.firstThread(at, t.own(), note)
		}
	}
	for _, r := range facts.ranges() {
		for at := r.Start; at < r.End; {
			e := l.row(at)
			if e == nil {
				break
			}
			x := e.Intersect(vm.Range{Start: at, End: r.End})
			at = x.End
			if !private(e) || e.File.Path != "" {
				continue
			}
			for _, free := range l.claims.free(e.Range) {
				own := free.Intersect(x)
				if own.Empty() {
					continue
				}
				// The rest of a mapping that has no more than the minimum size belongs to it.
				if free.Len() <= loaderLeast {
					own = free
				}
				l.add(classify.Finding{Kind: classify.Loader, Confidence: classify.Certain,
					Evidence: "the loader's link maps, or the first thread's control block", Parts: []classify.Part{{Range: own}}})
			}
		}
	}
}

// linkMaps records the link maps up to that of the loader itself: later ones may have been allocated by the program's
// malloc.
func (l *look) linkMaps(ld *Image, note func(vm.Range)) {
	debug := ld.exported("_r_debug")
	if debug == 0 {
		return
	}
	var found []uint64
	at, _ := l.word(debug + 8)
	for before := uint64(0); at != 0 && len(found) < maxLinkMaps; {
		w := l.words(at, 5) // l_addr, l_name, l_ld, l_next, l_prev
		if w == nil || w[4] != before {
			return
		}
		if m := l.imageAt(at); m == ld {
			break
		}
		if m := l.imageAt(w[2]); m != nil && m.Bias == w[0] {
			found = append(found, at)
		}
		before, at = at, w[3]
	}
	for _, at := range found {
		note(vm.RangeOf(at, linkMapSize))
	}
}

// firstThread notes the control block of the first thread at tcb, with the thread-local storage below it. The block
// points to itself twice and contains the process's pid.
func (l *look) firstThread(tcb uint64, tid int, note func(vm.Range)) {
	if w := l.words(tcb, 3); w == nil || w[0] != tcb || w[2] != tcb || !l.hasTID(tcb, tid) || l.claims.overlaps(vm.RangeOf(tcb, 1)) {
		return
	}
	note(vm.RangeOf(tcb, pthreadLeast))
}
