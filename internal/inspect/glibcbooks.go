package inspect

import "github.com/vmblame/vmblame/internal/classify"

// Offsets in malloc_state (malloc/malloc.c) since glibc 2.27. They are fixed up to the bins; the fields behind those
// are found from the offset of next, which differs between versions.
const (
	fastbinsAt = 16
	fastbins   = 10
	topAt      = 96
	binsAt     = 112
	bins       = 127
	// maxFree bounds the free chunks of an arena that are counted.
	maxFree = 1 << 20
)

// arenaBooks counts what an arena holds and how much of it is free, as mallinfo2 does: the top, the chunks of the bins
// and those of the fast bins; what threads keep in their own caches counts as used. It returns nil if the figures are
// inconsistent, as they are while a thread changes them.
func (l *look) arenaBooks(arena, next uint64, sane func(system uint64) bool) *classify.Books {
	w := l.words(arena, arenaWords-8)
	if l.left.pages < usual.pages/2 {
		return nil
	}
	if w == nil || next/8+3 >= uint64(len(w)) {
		return nil
	}
	system := w[next/8+3]
	top, ok := l.chunkSize(w[topAt/8])
	if !ok || !sane(system) || top > system {
		return nil
	}
	b := &classify.Books{System: system, Top: top, Free: top}
	chunks := 0
	for i := range fastbins {
		for at := w[fastbinsAt/8+i]; at != 0; chunks++ {
			size, ok := l.chunkSize(at)
			link, ok2 := l.word(at + 16)
			if !ok || !ok2 || chunks > maxFree {
				return nil
			}
			b.Free += size
			// Since 2.32 the link is mangled with its own address (PROTECT_PTR).
			if m := (at + 16) >> 12; link != 0 && (link^m)%16 == 0 {
				link ^= m
			}
			at = link
		}
	}
	for i := range bins {
		head := arena + binsAt + uint64(i)*16 - 16 // as a chunk, whose links stand 16 bytes in
		before := head
		for at := w[(binsAt+i*16)/8]; at != head; chunks++ {
			size, ok := l.chunkSize(at)
			links := l.words(at+16, 2)
			if !ok || links == nil || links[1] != before || chunks > maxFree {
				return nil
			}
			b.Free += size
			before, at = at, links[0]
		}
	}
	if b.Free > system {
		return nil
	}
	return b
}

// chunkSize reads the size of the chunk at addr (malloc_chunk.mchunk_size without its flags).
func (l *look) chunkSize(addr uint64) (uint64, bool) {
	v, ok := l.word(addr + 8)
	return v &^ 7, ok && addr%16 == 0
}
