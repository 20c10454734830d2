package inspect

import (
	"bytes"

	"github.com/vmblame/vmblame/internal/vm"
)

// maker says which code prepared a coroutine's stack, judging by the return address at its top.
type maker uint8

const (
	makerNone    maker = iota // nobody: a call has left it, or it is no code
	makerContext              // makecontext(3) of glibc
	makerEnded                // the same, and the coroutine's function has returned
	makerBoost                // make_fcontext of Boost.Context, or of who has a copy of it: PHP, Folly
	makerOther                // somebody else, by code that does nothing but call what ends the program, or that has no caller by its own table
	makerUnsure               // whoever put there an address that no call leaves: there are other reasons for one in memory
)

// The code to which these return addresses lead; no symbol names it.
var (
	// __start_context of glibc's sysdeps/unix/sysv/linux/x86_64/__start_context.S: what rbx has becomes the stack pointer; the next context
	// is there. Before that it may ask for shadow stacks.
	contextMove  = []byte{0x48, 0x89, 0xdc}                               // mov %rbx,%rsp
	contextNext  = []byte{0x48, 0x8b, 0x3c, 0x24, 0x48, 0x85, 0xff, 0x74} // mov (%rsp),%rdi; test %rdi,%rdi; je
	branchTarget = []byte{0xf3, 0x0f, 0x1e, 0xfa}                         // endbr64
	// finish of Boost's libs/context/src/asm/make_x86_64_sysv_elf_gas.S, behind trampoline.
	boostFinish = []byte{0x48, 0x31, 0xff, 0xe8} // xor %rdi,%rdi; call _exit@PLT
	boostJump   = []byte{0xff, 0xe3}             // jmp *%rbx

	// aco_funcp_protector_asm of libaco's acosw.S.
	acoProtector = []byte{0x48, 0x83, 0xe4, 0xf0, 0xe8} // and $-16,%rsp; call

	systemCall = []byte{0x0f, 0x05}
)

const (
	halt = 0xf4 // hlt
	call = 0xe8 // with a distance of 4 bytes
)

const (
	makerBefore = 96 // bytes before a return address that are looked at
	makerBehind = 96 // and behind it
	startLength = 64 // bytes of the code that a program begins with
)

// isContext reports whether the maker is makecontext(3).
func (k maker) isContext() bool { return k == makerContext || k == makerEnded }

// isKnown reports whether the maker is known by name.
func (k maker) isKnown() bool { return k == makerContext || k == makerEnded || k == makerBoost }

// makerOf returns who left return address w, which lies in image m, at the top of a stack.
func (c *coroutines) makerOf(m *Image, w uint64) maker {
	if m == nil {
		return makerNone
	}
	k, known := c.makers[w]
	if !known {
		k = makerByCode(m, w-m.Bias)
		switch {
		case k != makerNone:
		case c.callerOf(m, w).Outermost && !beginsThread(m, w-m.Bias):
			k = makerOther
		case c.module(m).Uncalled(w - m.Bias):
			k = makerUnsure
		}
		c.makers[w] = k
	}
	return k
}

// makerByCode recognises a maker by the code around an address of the file.
func makerByCode(m *Image, pc uint64) maker {
	var code [makerBefore + makerBehind]byte
	if pc < makerBefore {
		return makerNone
	}
	if n, _ := m.File.ReadVaddr(code[:], pc-makerBefore); n <= makerBefore { // it may be at the end of the code
		return makerNone
	}
	return makerOfCode(code[:makerBefore], code[makerBefore:])
}

// makerOfCode is makerByCode for the bytes before the address and behind it.
func makerOfCode(before, at []byte) maker {
	start := bytes.TrimPrefix(at, branchTarget)
	switch next := bytes.Index(at, contextNext); {
	case bytes.HasPrefix(start, contextMove) && next >= 0 && len(at) > next+len(contextNext)+1 && at[next+len(contextNext)+1] == call:
		return makerContext
	case bytes.HasPrefix(start, boostFinish) && start[len(boostFinish)+4] == halt && bytes.Contains(before[makerBefore-16:], boostJump):
		return makerBoost
	case bytes.HasPrefix(at, acoProtector) && at[len(acoProtector)+4] == call:
		return makerOther
	}
	const length = 5 // of a call
	i := makerBefore - length - 1 - len(contextNext)
	if before[makerBefore-length] == call && bytes.HasPrefix(before[i:], contextNext) && bytes.Contains(before[:i], contextMove) {
		return makerEnded
	}
	return makerNone
}

// beginsThread reports whether the code at an address of the file is where a program or a thread begins, which have no caller either:
// the entry of the file, the C library, or code that ends a thread as clone(3) does.
func beginsThread(m *Image, pc uint64) bool {
	var code [32]byte
	n, _ := m.File.ReadVaddr(code[:], pc)
	return isGlibc(m.name()) || isLoader(m.name()) || pc-m.File.Entry() < startLength || bytes.Contains(code[:n], systemCall)
}

// Words of ucontext_t (sysdeps/unix/sysv/linux/x86/sys/ucontext.h) from uc_stack.ss_sp on.
const (
	contextFlags = 1  // uc_stack.ss_flags, of 4 bytes
	contextSize  = 2  // uc_stack.ss_size
	contextRSP   = 18 // uc_mcontext.gregs[REG_RSP]
	contextRIP   = 19 // uc_mcontext.gregs[REG_RIP]

	contextLeast = 1 << 10  // bytes of a stack
	contextMost  = 64 << 30 // of one
	contextPages = 16 << 10 // pages that are searched
	contextMany  = 1 << 16  // stacks

	contextArguments = 8 // of a coroutine's function that stand on the stack, and one more
)

// findContexts searches memory for contexts prepared by makecontext(3), which contain the start and the size of a
// stack. It corrects the bounds of known stacks that have a context, and returns the list with stacks that were found
// only here at its end.
func (c *coroutines) findContexts(stacks []coroutine) []coroutine {
	byRoot, places := map[uint64]int{}, rangeSet{}
	missing := 0
	for i := range stacks {
		s := &stacks[i]
		places.put(s.Range)
		byRoot[s.root] = i
		if s.maker.isContext() {
			missing++
		}
	}
	pages := contextPages
	var w [vm.PageSize/8 + contextRIP]uint64
	search := func(r vm.Range) {
		for res := range c.Memory.Resident(r) {
			for at := res.Start; at < res.End; at += vm.PageSize {
				if pages--; pages < 0 || c.spent() || len(stacks) > contextMany {
					return
				}
				n := len(w)
				if !c.fill(w[:], at) { // with the beginning of the next page
					if n = vm.PageSize / 8; !c.fill(w[:n], at) {
						continue
					}
				}
				for i := 0; i+contextRIP < n && i < vm.PageSize/8; i++ {
					sp, size, rsp := w[i], w[i+contextSize], w[i+contextRSP]
					if size < contextLeast || size > contextMost || rsp-sp > size || rsp == sp || sp == 0 || sp > vm.AddressMax || uint32(w[i+contextFlags]) != 0 {
						continue
					}
					root, ok := c.rootBelow(sp + size)
					if !ok || root < sp {
						continue
					}
					k, known := byRoot[root]
					if !known {
						s, ok := c.unseen(root, sp+size)
						if !ok {
							continue
						}
						k = len(stacks)
						byRoot[root] = k
						stacks = append(stacks, s)
						missing++
					}
					s := &stacks[k]
					// What it was suspended by has returned to where its return address still stands.
					back, _ := c.word(rsp - 8)
					holds := rsp == root || back == w[i+contextRIP]
					if s.maker == makerEnded {
						holds = s.linked
					}
					if s.maker.isContext() && !s.bounded && holds && s.bound(vm.Range{Start: sp, End: sp + size}) {
						missing--
					}
				}
			}
		}
	}
	for _, first := range [...]bool{true, false} { // where contexts lie most of the time
		for i := range c.Rows {
			e := &c.Rows[i]
			if e.Perms&(vm.Read|vm.Write|vm.Shared) == vm.Read|vm.Write && (e.File.Path != "" || places.overlaps(e.Range)) == first && (first || missing > 0) {
				search(e.Range)
			}
		}
	}
	return stacks
}

// rootBelow returns where makecontext put its return address in a stack that ends at end. It tries every number of
// arguments on the stack, up to contextArguments.
func (c *coroutines) rootBelow(end uint64) (uint64, bool) {
	for more := range uint64(contextArguments) {
		at := (end-8*(more+1))&^15 - 8
		w, ok := c.word(at)
		if !ok {
			return 0, false
		}
		if c.makerOf(c.imageOf(w), w).isContext() {
			return at, true
		}
	}
	return 0, false
}

// unseen returns the stack with that root and end; its start is the row's, since nothing else is known of it.
func (c *coroutines) unseen(root, end uint64) (coroutine, bool) {
	e := c.row(root)
	if e == nil || !private(e) || e.File.Path != "" || vm.PageDown(end) > e.End {
		return coroutine{}, false
	}
	w, _ := c.word(root)
	m := c.imageOf(w)
	s := coroutine{Range: e.Range, root: root, back: w, maker: c.makerOf(m, w), of: m}
	c.examine(&s)
	return s, true
}

// lowest returns the lowest address of the stack, its guard included.
func (s *coroutine) lowest() uint64 {
	if s.guard.Empty() {
		return s.Start
	}
	return s.guard.Start
}

// bound makes r, which may have the guard in it, the bounds of the stack, and reports whether it can be. What begins inside a page was
// not mapped for it: an allocator has given it.
func (s *coroutine) bound(r vm.Range) bool {
	whole := vm.Range{Start: r.Start, End: vm.PageDown(r.End)}
	if !aligned(r.Start) || whole.Start < s.lowest() || whole.End > s.End {
		return false
	}
	if whole.Start <= s.Start {
		whole.Start = s.Start
	} else {
		s.guard = vm.Range{}
	}
	if whole.Empty() {
		return false
	}
	s.Range, s.bounded = whole, true
	return true
}
