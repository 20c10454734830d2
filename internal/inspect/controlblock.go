package inspect

import (
	"slices"

	"github.com/vmblame/vmblame/internal/vm"
)

// findControlBlocks finds the stacks of threads that are on no list of the C library: in static programs, with
// musl, with an older glibc. The thread pointer leads to the block; where it is not known, the block is looked
// for at the end of the mapping that the stack pointer lies in.
func findControlBlocks(l *look) {
	for i := range l.Threads {
		t := &l.Threads[i]
		if t.FSBase != 0 {
			l.controlBlock(t.FSBase, t)
			continue
		}
		e := l.row(t.SP)
		if t.SP == 0 || e == nil || !private(e) || e.File.Path != "" || l.claims.overlaps(vm.Range{Start: t.SP, End: t.SP + 1}) {
			continue
		}
		// The block lies in the last pages of the stack, above what has been pushed. Where rows merge that need not be the
		// row's end.
		found := false
		for at, w := range l.scan(vm.Range{Start: vm.PageDown(t.SP), End: min(e.End, vm.PageDown(t.SP)+blockSpan)}) {
			if found = w == at && at > t.SP && l.controlBlock(at, t); found {
				break
			}
		}
		for at := e.End - 16; !found && at > max(t.SP, e.End-min(e.Len(), pthreadSpan)); at -= 16 {
			if w, ok := l.word(at); ok && w == at && l.controlBlock(at, t) {
				break
			}
		}
	}
}

// blockSpan bounds how far above a stack pointer the thread's control block is searched for.
const blockSpan = 1 << 20

// controlBlock adds the stack of thread t if its control block is at tcb, and reports whether it did.
func (l *look) controlBlock(tcb uint64, t *Thread) bool {
	if l.claims.overlaps(vm.Range{Start: tcb, End: tcb + 1}) {
		return false
	}
	return l.hasTID(tcb, t.own()) && (l.threadStack(tcb, t.own(), "the thread's control block") || l.muslStack(tcb, t.own()))
}

// hasTID reports whether the block at tcb contains this tid, as those of glibc and musl do.
func (l *look) hasTID(tcb uint64, tid int) bool {
	b := make([]byte, pthreadWords*8/2)
	if !l.read(b, tcb) {
		// musl's is smaller, and may lie at the very end of memory.
		if b = b[:muslBlock]; !l.read(b, tcb) {
			return false
		}
	}
	for i := 0; i+4 <= len(b); i += 4 {
		if uint32(b[i])|uint32(b[i+1])<<8|uint32(b[i+2])<<16|uint32(b[i+3])<<24 == uint32(tid) {
			return true
		}
	}
	return false
}

// muslStack is threadStack for musl's struct pthread (src/internal/pthread_impl.h). That points to itself once and has
// five neighbouring words: the mapping and its size, the highest address of the stack, its size, and the guard's size.
// It reports whether it added a stack.
func (l *look) muslStack(tcb uint64, tid int) bool {
	w := l.words(tcb, 40)
	if w == nil || w[0] != tcb {
		return false
	}
	for i := 6; i+5 <= len(w); i++ {
		base, size, top, stack, guard := w[i], w[i+1], w[i+2], w[i+3], w[i+4]
		if base == 0 && size > 0 && stack < top && top <= tcb {
			// A stack that the program gave, with the block in it.
			if r := (vm.Range{Start: vm.PageUp(top - stack), End: vm.PageDown(top - stack + size)}); r.Contains(tcb) && guard == 0 && l.covered(r, anonymous) {
				return l.addStack(r, 0, tid, "the thread's control block (musl)")
			}
		}
		end := base + size
		if base == 0 || !aligned(base) || !aligned(size) || end <= base || tcb <= base || tcb >= end ||
			top > tcb || top <= base || stack > top-base || !aligned(guard) || guard >= size {
			continue
		}
		r := vm.Range{Start: base, End: end}
		if l.covered(r, anonymous) {
			return l.addStack(r, guard, tid, "the thread's control block (musl)")
		}
	}
	return false
}

// muslBlock is the least size of musl's struct pthread.
const muslBlock = 192

// muslTID is the offset of the tid in musl's struct pthread, since it has prev and next (1.1.20).
const muslTID = 48

// findMuslThreads walks musl's ring of threads (struct pthread's prev and next), in which the first one stands among the
// variables of the C library, unless its thread-local storage is large.
func findMuslThreads(l *look) {
	if !l.muslPossible() {
		return
	}
	for _, m := range l.images {
		for at, w := range l.variables(m) {
			if w == at && l.muslRing(at) {
				return
			}
		}
	}
}

// muslRing adds the stacks of the threads of the ring that begins at first, and reports whether it is one.
func (l *look) muslRing(first uint64) bool {
	var ring []uint64
	for at, before := first, uint64(0); ; {
		w := l.words(at, 4) // self, dtv, prev, next
		if w == nil || w[0] != at || before != 0 && w[2] != before || len(ring) > maxThreads {
			return false
		}
		ring = append(ring, at)
		if at, before = w[3], at; at == first {
			break
		}
	}
	found := false
	for _, at := range ring {
		tid, _ := l.half(at + muslTID)
		if _, alive := l.threads[int(int32(tid))]; alive {
			found = true
			l.muslStack(at, int(tid))
		}
	}
	return found
}

// muslPossible reports whether the C library may be musl, that is, is not glibc.
func (l *look) muslPossible() bool {
	return !slices.ContainsFunc(l.images, func(m *Image) bool { return isGlibc(m.name()) || isLoader(m.name()) })
}
