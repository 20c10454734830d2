package inspect

import (
	"iter"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
)

// isGlibc reports whether name is the file name of glibc: its soname, or libc-2.N.so before glibc 2.34.
func isGlibc(name string) bool {
	return name == "libc.so.6" || strings.HasPrefix(name, "libc-2.") && strings.HasSuffix(name, ".so")
}

// isLoader reports whether name is the file name of glibc's dynamic loader: its soname, or ld-2.N.so before glibc 2.34.
func isLoader(name string) bool {
	return strings.HasPrefix(name, "ld-linux") || strings.HasPrefix(name, "ld-2.")
}

// maxThreads bounds the lists of threads that are walked.
const maxThreads = 1 << 17

// findGlibcThreads walks glibc's own lists of stacks (nptl/allocatestack.c): those in use, those that programs
// gave, and those of ended threads that are kept for the next.
func findGlibcThreads(l *look) {
	for tcb, tid := range l.glibcThreads() {
		l.threadStack(tcb, tid, "glibc's list of stacks, and the thread's control block")
	}
}

// glibcThreads yields the control blocks in glibc's lists of stacks, with their tids. Since glibc 2.34 the heads of the
// lists are in _rtld_global, a variable exported by the loader. libc exports their offsets in it, and those in struct
// pthread, for debuggers (nptl_db).
func (l *look) glibcThreads() iter.Seq2[uint64, int] {
	return func(yield func(tcb uint64, tid int) bool) {
		libc, ld := l.image(isGlibc), l.image(isLoader)
		if libc == nil || ld == nil {
			return
		}
		global := ld.exported("_rtld_global")
		used, ok1 := libc.debuggerOffset("_thread_db_rtld_global__dl_stack_used")
		user, ok2 := libc.debuggerOffset("_thread_db_rtld_global__dl_stack_user")
		node, ok3 := libc.debuggerOffset("_thread_db_pthread_list")
		tid, ok4 := libc.debuggerOffset("_thread_db_pthread_tid")
		if global == 0 || !ok1 || !ok2 || !ok3 || !ok4 {
			return
		}
		// _dl_stack_cache has stood behind the two since all three are there (sysdeps/generic/ldsodefs.h).
		for _, head := range [...]uint64{global + used, global + user, global + user + 16} {
			for at := range l.list2(head) {
				t, _ := l.half(at - node + tid)
				if !yield(at-node, int(int32(t))) {
					return
				}
			}
		}
	}
}

// debuggerOffset reads one of the descriptors that libc exports for libthread_db: bits, count, offset.
func (m *Image) debuggerOffset(name string) (uint64, bool) {
	at := m.exported(name)
	if at == 0 {
		return 0, false
	}
	return m.constant(at+8, 4)
}

// list2 yields the nodes of a doubly linked list whose head is at head, without the head. It ends where a link
// back does not agree with the link forward.
func (l *look) list2(head uint64) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		before := head
		at, ok := l.word(head)
		for n := 0; ok && at != head && at != 0 && n < maxThreads; n++ {
			if back, ok := l.word(at + 8); !ok || back != before {
				return
			}
			if !yield(at) {
				return
			}
			before = at
			at, ok = l.word(at)
		}
	}
}

const (
	// pthreadWords is how many words of a struct pthread, which has 2,304 to 2,496 bytes, are searched for the fields
	// of its stack.
	pthreadWords = 320
	// pthreadLeast is the least size of one.
	pthreadLeast = 2048
	// pthreadSpan bounds what stands above the control block in its stack: the rest of the struct, rounded up.
	pthreadSpan = 64 << 10
)

// threadStack adds the stack whose control block (struct pthread) is at tcb, and reports whether it did. A control
// block points to itself twice (tcbhead_t's tcb and self) and has three neighbouring words that describe its stack: the
// lowest address, the size with the guard, and the guard's size. Their offset differs between versions of glibc.
func (l *look) threadStack(tcb uint64, tid int, evidence string) bool {
	w := l.words(tcb, pthreadWords)
	if w == nil {
		w = l.words(tcb, pthreadWords-32)
	}
	if w == nil || w[0] != tcb || w[2] != tcb {
		return false
	}
	for i := 64; i+3 <= len(w); i++ {
		at, size, guard := w[i], w[i+1], w[i+2]
		end := at + size
		if at == 0 || !aligned(guard) || end <= at || tcb <= at || tcb >= end || guard >= size || end > vm.AddressMax || end-tcb > pthreadSpan && aligned(at) {
			continue
		}
		if !aligned(at) || !aligned(size) {
			// One that the program supplied may lie anywhere; only its own bytes are the stack.
			at, end = vm.PageUp(at), vm.PageDown(end)
			if at >= end || tcb >= end+vm.PageSize || end-tcb > pthreadSpan {
				continue
			}
		}
		if !l.covered(vm.Range{Start: at, End: end}, anonymous) {
			continue
		}
		return l.addStack(vm.Range{Start: at, End: end}, guard, tid, evidence)
	}
	return false
}

// addStack adds the stack r of thread tid, and reports whether it did. The first guard bytes of r are its guard if they
// are inaccessible.
func (l *look) addStack(r vm.Range, guard uint64, tid int, evidence string) bool {
	f := classify.Finding{Kind: classify.ThreadStack, Confidence: classify.Certain, Evidence: evidence}
	if t := l.threads[tid]; t != nil {
		f.TID, f.Detail = t.TID, "of thread "+strconv.Itoa(t.TID)+" "+t.Name
	} else {
		f.Detail = "of an ended thread"
	}
	if e := l.row(r.Start); guard > 0 && e != nil && e.Perms&(vm.Read|vm.Write|vm.Exec) == 0 {
		f.Parts = append(f.Parts, classify.Part{Range: vm.Range{Start: r.Start, End: r.Start + guard}, Kind: classify.StackGuard})
		r.Start += guard
	}
	// Some runtimes protect the end of their stacks themselves, as a Java VM does.
	for e := l.row(r.Start); e != nil && e.Perms&(vm.Read|vm.Write|vm.Exec) == 0 && e.End < r.End; e = l.row(r.Start) {
		f.Parts = append(f.Parts, classify.Part{Range: vm.Range{Start: r.Start, End: e.End}, Kind: classify.StackGuard})
		r.Start = e.End
	}
	f.Parts = append(f.Parts, classify.Part{Range: r})
	return l.add(f)
}
