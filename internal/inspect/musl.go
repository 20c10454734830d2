package inspect

import (
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

const (
	// muslBefore is how many words at most stand between the secret of malloc's context and its list of areas
	// (struct malloc_context of musl's src/malloc/mallocng/meta.h).
	muslBefore = 12
	// muslSlot is the size of a struct meta, of which an area holds as many as fit behind three words.
	muslSlot  = 40
	muslSlots = (vm.PageSize - 24) / muslSlot
	maxAreas  = 1 << 20
)

// findMusl recognises the memory of musl's malloc (mallocng) by its own records. Its context, a variable of the C
// library, contains a secret that every area of records (struct meta) begins with. A record names a group of slots, and
// the group names its record.
func findMusl(l *look) {
	if !l.muslPossible() {
		return
	}
	for _, m := range l.images {
		var recent []uint64 // the last words, with zeros between them left out
		for _, w := range l.variables(m) {
			if w != 0 && aligned(w) {
				if secret, ok := l.word(w); ok && secret != 0 && slices.Contains(recent, secret) && l.muslAreas(w, secret) {
					return
				}
			}
			if len(recent) == muslBefore {
				recent = append(recent[:0], recent[1:]...)
			}
			recent = append(recent, w)
		}
	}
}

// muslAreas adds the areas of the list at area, and what their records lead to. It reports whether it was one.
func (l *look) muslAreas(area, secret uint64) bool {
	found := false
	for n := 0; area != 0 && n < maxAreas; n++ {
		w := l.words(area, 3)
		if w == nil || !aligned(area) || w[0] != secret || uint32(w[2]) > muslSlots {
			return found
		}
		for i := range w[2] & 0xffffffff {
			found = l.muslGroup(area+24+i*muslSlot) || found
		}
		r := vm.RangeOf(area, vm.PageSize)
		if e := l.row(area); e != nil && private(e) && e.File.Path == "" && found {
			l.add(classify.Finding{Kind: classify.MuslMalloc, Detail: "records", Confidence: classify.Certain,
				Evidence: "the area bears the secret of malloc's context and is in its list", Parts: []classify.Part{{Range: r}}})
		}
		area = w[1]
	}
	return found
}

// muslGroup adds the group of the record at meta, if that has a mapping of its own, and reports whether the two name
// each other.
func (l *look) muslGroup(meta uint64) bool {
	w := l.words(meta, 5) // prev, next, mem, masks, lengths
	if w == nil || w[2] == 0 || w[2]%16 != 0 {
		return false
	}
	if back, ok := l.word(w[2]); !ok || back != meta {
		return false
	}
	pages := w[4] >> 12 // maplen, behind last_idx, freeable and sizeclass
	r := vm.RangeOf(w[2], pages*vm.PageSize)
	if pages > 0 && pages < 1<<35 && aligned(w[2]) && l.covered(r, private) {
		l.add(classify.Finding{Kind: classify.MuslMalloc, Confidence: classify.Certain,
			Evidence: "malloc's record of the group, and the group, name each other", Parts: []classify.Part{{Range: r}}})
	}
	return true
}
