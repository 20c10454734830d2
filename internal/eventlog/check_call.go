package eventlog

import "github.com/vmblame/vmblame/internal/vm"

// The constants of asm-generic/mman-common.h and asm-generic/mman.h that decide what a call may do.
const (
	mapFixed          = 0x10
	mapAnonymous      = 0x20
	mapHugeTLB        = 0x40000
	mapFixedNoReplace = 0x100000
	protGrows         = 0x03000000 // PROT_GROWSDOWN | PROT_GROWSUP
	hugePage          = 2 << 20
)

// call checks that the changes of an event are what its call, with these arguments, can have done.
// Arguments that the log does not have are not asked for.
func (c *checker) call(r *Event) {
	if r.Error != "" {
		c.failedCall(r)
		return
	}
	switch r.Call {
	case "munmap":
		c.kinds(r, true, false, false)
		if x, ok := r.span("addr", "length"); ok {
			c.must(x.Start%vm.PageSize == 0, "event %d: munmap of %#x, which no page begins at, succeeded", r.Seq, x.Start)
			c.within(r, x)
		}
	case "shmdt", "io_destroy":
		c.kinds(r, true, false, false)
	case "mprotect", "pkey_mprotect":
		c.kinds(r, false, false, true)
		c.mprotect(r)
	case "madvise", "prctl":
		c.kinds(r, false, false, true)
	case "mmap", "mmap2":
		c.kinds(r, true, true, false)
		c.mmap(r)
	case "brk":
		c.kinds(r, true, true, false)
		c.brk(r)
	case "mremap":
		c.kinds(r, true, true, false)
		c.mremap(r)
	case "execve", "execveat":
		c.must(len(r.Changes) == 0, "event %d: %s changes the old address space", r.Seq, r.Call)
	}
}

// failedCall: a call that fails may have unmapped (MAP_FIXED) or changed (mprotect across a hole) part of
// what it was asked for, but not mapped anything; mremap of several mappings may have moved some.
func (c *checker) failedCall(r *Event) {
	switch r.Call {
	case "mremap":
	case "execve", "execveat":
		c.must(len(r.Changes) == 0, "event %d: a failed %s changes something", r.Seq, r.Call)
	default:
		c.kinds(r, true, false, true)
	}
}

func (c *checker) mprotect(r *Event) {
	prot, known := r.number("prot")
	if x, ok := r.span("addr", "len"); ok && known && prot&protGrows == 0 {
		c.within(r, x)
	}
	for i := range r.Changes {
		was, now := r.Changes[i].Was, r.Changes[i].Now
		if was == nil || now == nil {
			continue
		}
		c.must(was.Path == now.Path && was.Inode == now.Inode && was.Dev == now.Dev && was.Offset == now.Offset,
			"event %d: change %d: mprotect changes what is mapped", r.Seq, i)
		if known {
			c.perms(r, i, now, prot)
		}
	}
}

// perms checks permissions against a prot argument; personality(READ_IMPLIES_EXEC) may add execution.
func (c *checker) perms(r *Event, i int, a *Attr, prot uint64) {
	p, err := vm.ParsePerms(a.Perms)
	if err != nil {
		return // reported already
	}
	p &= vm.Read | vm.Write | vm.Exec
	want := vm.ProtPerms(prot)
	c.must(p == want || p == want|vm.Exec && want&vm.Read != 0, "event %d: change %d: prot %d gave %s", r.Seq, i, prot, a.Perms)
}

// mmap: the removal of what stood there, piece by piece, and then one addition.
func (c *checker) mmap(r *Event) {
	if !c.must(r.Result != nil, "event %d: mmap has neither result nor error", r.Seq) {
		return
	}
	n := len(r.Changes)
	if !c.must(n > 0 && r.Changes[n-1].Was == nil, "event %d: mmap succeeded, and its last change maps nothing", r.Seq) {
		return
	}
	for i := range n - 1 {
		c.must(r.Changes[i].Was != nil, "event %d: change %d: mmap maps a second range", r.Seq, i)
	}
	added := vm.Range{Start: uint64(r.Changes[n-1].Start), End: uint64(r.Changes[n-1].End)}
	c.within(r, added)
	result := uint64(r.Result.Value)
	c.must(added.Start == result, "event %d: mmap returned %#x, and mapped %v", r.Seq, result, added)
	length, ok := r.number("length")
	flags, ok2 := r.number("flags")
	if !ok || !ok2 {
		return
	}
	want := vm.RangeOf(result, length)
	huge := flags&mapHugeTLB != 0 || flags&mapAnonymous == 0 && (added.Start|added.End)%hugePage == 0
	if !huge {
		c.must(added == want, "event %d: mmap was asked for %d bytes, and mapped %v", r.Seq, length, added)
	}
	c.must(!huge || added.Covers(want), "event %d: mmap was asked for %d bytes, and mapped %v", r.Seq, length, added)
	if addr, ok := r.number("addr"); ok && flags&(mapFixed|mapFixedNoReplace) != 0 {
		// A kernel before 4.17 takes MAP_FIXED_NOREPLACE for a hint.
		c.must(addr == result || flags&mapFixed == 0, "event %d: mmap with MAP_FIXED at %#x returned %#x", r.Seq, addr, result)
	}
	if flags&mapFixed == 0 {
		c.must(n == 1, "event %d: mmap without MAP_FIXED returned a range that was not free", r.Seq)
	}
	if prot, ok := r.number("prot"); ok && flags&mapAnonymous != 0 {
		c.perms(r, n-1, r.Changes[n-1].Now, prot)
	}
}

// brk: what is mapped ends, and what is unmapped begins, at the new break.
func (c *checker) brk(r *Event) {
	if !c.must(r.Result != nil, "event %d: brk has neither result nor error", r.Seq) || len(r.Changes) == 0 {
		return
	}
	at := vm.PageUp(uint64(r.Result.Value))
	for i := range r.Changes {
		ch := &r.Changes[i]
		if ch.Was == nil {
			c.must(uint64(ch.End) == at, "event %d: change %d: brk returned %#x, and mapped up to %v", r.Seq, i, r.Result.Value, ch.End)
		} else {
			c.must(uint64(ch.Start) >= at, "event %d: change %d: brk returned %#x, and unmapped %v", r.Seq, i, r.Result.Value, ch.Start)
		}
	}
}

func (c *checker) mremap(r *Event) {
	old, ok := r.span("old_address", "old_size")
	size, ok2 := r.number("new_size")
	if !ok || !ok2 || !c.must(r.Result != nil, "event %d: mremap has neither result nor error", r.Seq) {
		return
	}
	target := vm.RangeOf(uint64(r.Result.Value), size)
	for i := range r.Changes {
		ch := &r.Changes[i]
		x := vm.Range{Start: uint64(ch.Start), End: uint64(ch.End)}
		if x.Start%hugePage == 0 && x.End%hugePage == 0 {
			continue // sizes of huge pages are rounded up to these
		}
		if ch.Now != nil {
			c.must(target.Covers(x), "event %d: change %d: mremap mapped %v outside of %v", r.Seq, i, x, target)
			if m := ch.Now.MovedFrom; m != nil {
				c.must(uint64(m.Start)-old.Start == x.Start-target.Start, "event %d: change %d: mremap moved %v to %v, but said %v to %v", r.Seq, i, m.Start, ch.Start, old, target)
			}
			continue
		}
		c.must(target.Covers(x) || old.Covers(x), "event %d: change %d: mremap unmapped %v, outside of %v and %v", r.Seq, i, x, old, target)
	}
}

// afterCall checks what must stand in the ledger once a call has succeeded.
func (c *checker) afterCall(r *Event, s *SpaceState) {
	if r.Error != "" || r.Call != "munmap" || r.Result == nil {
		return
	}
	if x, ok := r.span("addr", "length"); ok {
		c.must(s.Ledger.Free(x), "event %d: munmap of %v succeeded, and something is mapped there still", r.Seq, x)
	}
}
