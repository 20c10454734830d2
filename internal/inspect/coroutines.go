package inspect

import (
	"cmp"
	"debug/elf"
	"fmt"
	"slices"
	"sort"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/unwind"
)

const (
	coroutineTop    = 1 << 10  // bytes at the top of a stack in which the first return address stands: Boost keeps an object above it
	coroutineOther  = 256      // the same for makers whose code is not known
	coroutineFirst  = 4 << 10  // bytes below that in which the frame of the first function ends
	coroutineNear   = 16 << 10 // bytes below it to which addresses of the stack lead that count
	coroutineGuard  = 64 << 10 // bytes of the largest guard
	coroutinePages  = 1 << 13  // pages that are searched for stacks that end inside a row
	coroutineChunks = 1 << 10  // chunks of malloc's that are looked at
	coroutineSaved  = 17 * 8   // bytes below a return address in which the function that was called saves registers
)

// coroutine is what is known of a coroutine's stack.
type coroutine struct {
	vm.Range          // what is mapped up to its top, the guard left out
	guard    vm.Range // right below, empty where there is none
	root     uint64   // the address of the outermost return address, which ends every walk of the stack
	back     uint64   // the return address
	maker    maker
	of       *Image // which has the code there
	linked   bool   // the frame of the function that was called first ends with the root
	own      bool   // the stack has addresses of itself
	bounded  bool   // a context says where it begins and how long it is
}

// coroutines is a search for stacks of coroutines.
type coroutines struct {
	*look
	code      []segment // the executable ranges of images, ascending
	low, high uint64    // the bounds of all of these
	modules   map[*Image]*unwind.Module
	makers    map[uint64]maker         // by return address
	callers   map[uint64]unwind.Caller // by return address
	top       [vm.PageSize / 8]uint64  // the page examined last
	topAt     uint64                   // where it stands, 0 for nowhere
	left      int                      // of coroutinePages
}

// findCoroutines recognises the stacks of coroutines, suspended or not, by what whoever made one left at its top: a return
// address that no call leaves, and that ends every walk of the stack. The second fact is the frame below it: the function that was called
// first returns there, by the tables of its file. A copy of a stack has both, but no addresses of itself. Where a stack ends at the
// bottom tells its guard, or the context that makecontext was given; of others nothing is said.
func findCoroutines(l *look) {
	c := &coroutines{look: l, modules: map[*Image]*unwind.Module{}, makers: map[uint64]maker{}, callers: map[uint64]unwind.Caller{}, left: coroutinePages}
	for _, m := range l.images {
		for _, p := range m.loads() {
			if p.Flags&elf.PF_X != 0 {
				c.code = append(c.code, segment{vm.RangeOf(p.Vaddr+m.Bias, p.Filesz), m})
			}
		}
	}
	if len(c.code) == 0 {
		return
	}
	slices.SortFunc(c.code, func(a, b segment) int { return cmp.Compare(a.Start, b.Start) })
	c.low, c.high = c.code[0].Start, c.code[len(c.code)-1].End
	var stacks []coroutine
	for i := range l.Rows {
		e := &l.Rows[i]
		if !private(e) || e.File.Path != "" || e.Perms&vm.Read == 0 {
			continue
		}
		for _, r := range l.claims.free(e.Range) {
			if i > 0 && r.Start == e.Start {
				if guard := c.guardIn(&l.Rows[i-1], e.Start); !guard.Empty() {
					if s, ok := c.inside(r); ok {
						s.guard = guard
						stacks = append(stacks, s)
						r.Start = s.End
					} else if s, ok := c.topped(r); ok {
						s.guard = guard
						stacks = append(stacks, s)
						continue
					}
				}
			}
			if s, ok := c.topped(r); ok && s.maker.isKnown() {
				stacks = append(stacks, s)
			}
		}
	}
	if len(stacks) > 0 {
		c.addAll(stacks)
	}
	c.inChunks()
}

// inChunk is the detail of a chunk that contains a coroutine's stack.
const inChunk = "a coroutine's stack"

// inChunks marks large chunks of malloc that contain the stack of a coroutine. They stay malloc's memory.
func (c *coroutines) inChunks() {
	left := coroutineChunks
	for i := range c.list {
		f := &c.list[i]
		if f.Kind != classify.GlibcLarge || len(f.Parts) != 1 || f.Parts[0].Len() < 2*vm.PageSize {
			continue
		}
		if left--; left < 0 {
			return
		}
		// What the program asked for ends before the chunk does, by less than a page.
		for r := f.Parts[0].Range; r.End > f.Parts[0].End-2*vm.PageSize; r.End -= vm.PageSize {
			if s, ok := c.toppedWithin(r, vm.PageSize); ok && s.linked && s.own {
				f.Detail = inChunk
			}
		}
	}
}

// addAll adds the stacks whose start is known, by a guard or by a context, with the confidence that the evidence
// allows.
func (c *coroutines) addAll(stacks []coroutine) {
	type shape struct{ size, back, above uint64 }
	shapeOf := func(s *coroutine) shape {
		if s.maker.isKnown() { // what Boost keeps above has many lengths; the address is another when the coroutine has ended
			return shape{size: s.Len()}
		}
		return shape{s.Len(), s.back, s.End - s.root}
	}
	alike := map[shape]int{} // a row may have more in it than a stack, but hardly two of them as much
	for i := range stacks {
		if s := &stacks[i]; s.linked && s.own && !s.guard.Empty() {
			alike[shapeOf(s)]++
		}
	}
	sure := func(s *coroutine) bool {
		return s.linked && s.own && s.maker.isKnown() && !s.guard.Empty() && alike[shapeOf(s)] > 1
	}
	if slices.ContainsFunc(stacks, func(s coroutine) bool { return s.maker.isContext() && !sure(&s) }) {
		stacks = c.findContexts(stacks)
	}
	for i := range stacks {
		s := &stacks[i]
		f := classify.Finding{Kind: classify.CoroutineStack, Detail: s.detail(), Confidence: classify.Likely,
			Evidence: "a return address at its top that no call has left, and the frame of the function that returns there"}
		if chunk := c.chunkAround(s.lowest()); !chunk.Empty() {
			c.add(classify.Finding{Kind: classify.GlibcLarge, Detail: inChunk, Confidence: classify.Likely,
				Evidence: "the header of a chunk with a mapping of its own", Parts: c.partsOf(chunk)})
			c.addBehind(chunk.End)
			continue
		}
		switch {
		case s.bounded:
			f.Confidence, f.Evidence = classify.Certain, "makecontext's return address at its top, and a context that says where it begins and how long it is"
		case s.guard.Empty():
			continue
		case sure(s):
			f.Confidence = classify.Certain
		case s.linked && s.own && (s.maker.isKnown() || s.maker == makerOther && alike[shapeOf(s)] > 1):
		default:
			f.Confidence, f.Evidence = classify.Guess, "a return address at its top that no call has left"
		}
		if !s.guard.Empty() {
			f.Parts = append(f.Parts, classify.Part{Range: s.guard, Kind: classify.StackGuard})
		}
		f.Parts = append(f.Parts, c.partsOf(s.Range)...)
		c.add(f)
	}
}

func (s *coroutine) detail() string {
	switch s.maker {
	case makerContext:
		return "by makecontext"
	case makerEnded:
		return "by makecontext, ended"
	case makerBoost:
		if isPHP(s.of) {
			return "of PHP's fibers"
		}
		return fmt.Sprintf("by Boost.Context, %s", s.of.name())
	}
	return "of " + s.of.name()
}

// guardIn returns the part of row e that is the guard of a stack that begins at address before; it is empty if there is
// none. A guard may be readable (libaco's is), but has never been read.
func (c *coroutines) guardIn(e *vm.SmapsEntry, before uint64) vm.Range {
	if e.End != before || !anonymous(e) || e.Perms&(vm.Write|vm.Exec) != 0 {
		return vm.Range{}
	}
	free := c.claims.free(e.Range)
	if len(free) == 0 || free[len(free)-1].End != before || free[len(free)-1].Len() > coroutineGuard {
		return vm.Range{}
	}
	guard := free[len(free)-1]
	if e.Perms&vm.Read != 0 {
		for range c.Memory.Resident(guard) {
			return vm.Range{}
		}
	}
	return guard
}

// topped returns the stack whose top is the end of r, if there is one.
func (c *coroutines) topped(r vm.Range) (coroutine, bool) { return c.toppedWithin(r, coroutineTop) }

// toppedWithin is topped for a top that may lie lower, by up to bytes, in the last page.
func (c *coroutines) toppedWithin(r vm.Range, bytes int) (coroutine, bool) {
	at := r.End - vm.PageSize
	c.topAt = 0
	if !c.glance(c.top[:], at) {
		return coroutine{}, false
	}
	c.topAt = at
	for i := len(c.top) - 1; i >= len(c.top)-bytes/8; i-- {
		w := c.top[i]
		if w < c.low || w >= c.high {
			continue
		}
		m := c.imageOf(w)
		s := coroutine{Range: r, root: at + uint64(i)*8, back: w, maker: c.makerOf(m, w), of: m}
		// A function begins with its return address below a multiple of 16 (System V ABI).
		if s.maker == makerNone || (s.root+8)%16 != 0 || !s.maker.isKnown() && r.End-s.root > coroutineOther {
			continue
		}
		c.examine(&s)
		if s.maker.isKnown() || s.linked && s.own && !c.runsOn(r) {
			return s, true
		}
	}
	return coroutine{}, false
}

// runsOn reports whether a thread's stack pointer lies in r.
func (c *coroutines) runsOn(r vm.Range) bool {
	return slices.ContainsFunc(c.Threads, func(t Thread) bool { return r.Contains(t.SP) || r.Contains(t.FSBase) })
}

// inside returns the first stack that begins where r does and ends before r does: the kernel shows the mapping above it
// in the same row.
func (c *coroutines) inside(r vm.Range) (coroutine, bool) {
	for at := range c.residentPages(vm.Range{Start: r.Start, End: r.End - vm.PageSize}) {
		if c.left--; c.left < 0 || c.spent() {
			break
		}
		s, ok := c.topped(vm.Range{Start: r.Start, End: at + vm.PageSize})
		if ok && s.linked && s.own && s.maker != makerUnsure {
			return s, true
		}
	}
	return coroutine{}, false
}

// residentPages yields the pages of r that are in memory. Of small rows, of which there may be many, it asks the cache.
func (c *coroutines) residentPages(r vm.Range) func(yield func(uint64) bool) {
	return func(yield func(uint64) bool) {
		if r.Len() <= windowSize {
			for at := r.Start; at < r.End; at += vm.PageSize {
				if c.window(at).has(at%windowSize/vm.PageSize) && !yield(at) {
					return
				}
			}
			return
		}
		for res := range c.Memory.Resident(r) {
			for at := res.Start; at < res.End; at += vm.PageSize {
				if !yield(at) {
					return
				}
			}
		}
	}
}

// word is that of the look, or of the page that was looked at last.
func (c *coroutines) word(addr uint64) (uint64, bool) {
	if off := addr - c.topAt; c.topAt != 0 && off < vm.PageSize && off%8 == 0 {
		return c.top[off/8], true
	}
	return c.look.word(addr)
}

// imageOf returns the image whose code is at addr, nil for none.
func (c *coroutines) imageOf(addr uint64) *Image {
	if addr < c.low || addr >= c.high {
		return nil
	}
	i := sort.Search(len(c.code), func(i int) bool { return c.code[i].Start > addr })
	if i == 0 || !c.code[i-1].Contains(addr) {
		return nil
	}
	return c.code[i-1].of
}

func (c *coroutines) module(m *Image) *unwind.Module {
	u := c.modules[m]
	if u == nil {
		u = unwind.NewModule(m.File)
		c.modules[m] = u
	}
	return u
}

// examine searches the stack below its top for the frame of the function that was called first (linked), and the memory
// around the top for addresses in the stack (own).
func (c *coroutines) examine(s *coroutine) {
	if s.maker == makerEnded {
		// What setcontext was given, and has pushed, is what stands above the return address.
		w := c.words(s.root-8, 3)
		s.linked = w != nil && w[0] != 0 && w[0] == w[2]
	}
	// below is n bytes below the root, or where the stack begins.
	below := func(n uint64) uint64 { return s.root - min(n, s.root-s.Start) }
	near := vm.Range{Start: below(coroutineNear), End: s.End}
	for at, bottom := s.root-8, below(coroutineFirst); at >= bottom && !(s.linked && s.own); at -= 8 {
		w, ok := c.word(at)
		switch {
		case !ok:
			return
		case near.Contains(w):
			s.own = true
		case !s.linked:
			s.linked = c.returns(w, at, s.root) && !c.listed(at) && !c.listed(s.root)
		}
	}
}

// listed reports whether beside a return address, at addr, there is another one: so they stand in a list of calls, and hardly ever in a stack.
func (c *coroutines) listed(addr uint64) bool {
	for _, at := range [...]uint64{addr - 8, addr + 8} {
		if w, ok := c.word(at); ok {
			if m := c.imageOf(w); m != nil && c.callerOf(m, w) != (unwind.Caller{}) {
				return true
			}
		}
	}
	return false
}

// callerOf returns the unwind rule of the function of m that return address w belongs to. It has no Offset if there is
// none.
func (c *coroutines) callerOf(m *Image, w uint64) unwind.Caller {
	rule, known := c.callers[w]
	if !known {
		rule, _ = c.module(m).CallerOf(w - m.Bias)
		c.callers[w] = rule
	}
	return rule
}

// returns reports whether w, which stands at addr, is a return address into a function whose own one stands at root.
func (c *coroutines) returns(w, addr, root uint64) bool {
	m := c.imageOf(w)
	if m == nil {
		return false
	}
	rule := c.callerOf(m, w)
	switch {
	case rule.Offset <= 0:
		return false
	case rule.Register == unwind.RegRSP:
		return addr+uint64(rule.Offset) == root
	}
	// The frame pointer is among what the called function has saved.
	for at := addr - 8; at >= addr-coroutineSaved; at -= 8 {
		if v, ok := c.word(at); ok && v+uint64(rule.Offset) == root+8 {
			return true
		}
	}
	return false
}
