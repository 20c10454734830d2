package eventlog

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

const hugePage = 2 << 20

// calledWith lists the arguments of each call, by their names in the man page.
var calledWith = map[string]string{
	"mmap": "addr length prot flags fd offset", "mmap2": "addr length prot flags fd pgoffset",
	"munmap": "addr length", "mprotect": "addr len prot", "pkey_mprotect": "addr len prot pkey", "brk": "addr",
	"mremap":  "old_address old_size new_size flags",
	"madvise": "addr length advice", "prctl": "op attr addr size val", "arch_prctl": "op addr",
	"shmat": "shmid shmaddr shmflg", "shmdt": "shmaddr", "io_setup": "nr_events ctx_idp", "io_destroy": "ctx_id",
	"remap_file_pages": "addr size prot pgoff flags", "map_shadow_stack": "addr size flags",
	"execve": "pathname argv envp", "execveat": "dirfd pathname argv envp flags",
}

// arguments checks that a known call has all its arguments.
func (c *checker) arguments(r *Event) {
	if behind := c.header != nil && c.header.Backend != nil && c.header.Backend.Name == "sigtrap"; behind && (r.Call == "execve" || r.Call == "execveat") {
		return // the call is only seen when its arguments are gone
	}
	for name := range strings.FieldsSeq(calledWith[r.Call]) {
		if _, ok := r.Args.Get(name); !ok {
			c.problem("event %d: %s without its argument %s", r.Seq, r.Call, name)
		}
	}
}

// returnsZero are the calls that return 0 when they succeed.
var returnsZero = []string{"munmap", "mprotect", "pkey_mprotect", "madvise", "prctl", "shmdt", "io_setup", "io_destroy", "remap_file_pages", "execve", "execveat"}

// call checks that the call of an event, with its arguments, can have made the event's changes to s, the space before
// the event. Arguments missing in the log are not checked.
func (c *checker) call(r *Event, s *SpaceState) {
	if r.Error != "" {
		c.failedCall(r)
		return
	}
	if r.Result == nil {
		return // reported
	}
	if slices.Contains(returnsZero, r.Call) {
		c.must(r.Result.Value == 0, "event %d: %s succeeded, and returned %d", r.Seq, r.Call, r.Result.Value)
	}
	switch r.Call {
	case "munmap":
		c.kinds(r, true, false, false)
		if x, ok := r.span("addr", "length"); ok {
			c.must(x.Start%vm.PageSize == 0 && !x.Empty(), "event %d: munmap of %v, which is not a range of whole pages, succeeded", r.Seq, x)
			c.within(r, x)
		}
	case "shmdt":
		c.kinds(r, true, false, false)
		c.shmdt(r)
	case "io_destroy":
		c.kinds(r, true, false, false)
	case "mprotect", "pkey_mprotect":
		c.kinds(r, false, false, true)
		c.edits(r, "perms")
		c.mprotect(r)
	case "madvise":
		c.kinds(r, false, false, true)
		c.edits(r, "")
	case "prctl":
		c.kinds(r, false, false, true)
		c.edits(r, "path")
	case "mmap", "mmap2":
		c.kinds(r, true, true, false)
		c.mmap(r)
	case "shmat":
		c.kinds(r, true, true, false)
		c.shmat(r)
	case "map_shadow_stack":
		c.kinds(r, true, true, false)
		c.added(r)
	case "brk":
		c.kinds(r, true, true, false)
		c.brk(r)
	case "mremap":
		c.kinds(r, true, true, false)
		c.mremap(r, s)
	case "execve", "execveat":
		c.must(len(r.Changes) == 0, "event %d: %s changes the old address space", r.Seq, r.Call)
	}
}

// failedCall: a call that fails may have unmapped (MAP_FIXED) or changed (mprotect across a hole) part of
// what it was asked for, but not mapped anything; mremap of several mappings may have moved some.
func (c *checker) failedCall(r *Event) {
	flags, known := r.number("flags")
	switch r.Call {
	case "mremap":
	case "execve", "execveat", "brk", "shmdt", "io_setup", "io_destroy":
		c.must(len(r.Changes) == 0, "event %d: a failed %s changes something", r.Seq, r.Call)
	case "mmap", "mmap2":
		c.kinds(r, true, false, false)
		c.must(len(r.Changes) == 0 || !known || flags&vm.MapFixed != 0, "event %d: a failed mmap without MAP_FIXED changes something", r.Seq)
	default:
		c.kinds(r, true, false, true)
	}
}

// edits checks that the changes to pages that stay mapped concern nothing but what.
func (c *checker) edits(r *Event, what string) {
	for i := range r.Changes {
		was, now := r.Changes[i].Was, r.Changes[i].Now
		if was == nil || now == nil {
			continue
		}
		c.must((what == "perms" || was.Perms == now.Perms) && (what == "path" || was.Path == now.Path) &&
			was.Inode == now.Inode && was.Dev == now.Dev && was.Offset == now.Offset,
			"event %d: change %d: %s changes what is mapped", r.Seq, i, r.Call)
	}
}

func (c *checker) mprotect(r *Event) {
	prot, known := r.number("prot")
	c.must(prot&vm.ProtGrowsUp == 0, "event %d: mprotect of a mapping that grows upwards succeeded: there is none", r.Seq)
	if x, ok := r.span("addr", "len"); ok && known && prot&(vm.ProtGrowsDown|vm.ProtGrowsUp) == 0 {
		c.within(r, x)
	}
	for i := range r.Changes {
		if was, now := r.Changes[i].Was, r.Changes[i].Now; was != nil && now != nil && known {
			c.perms(r, i, now, prot)
			c.must(was.Perms[3:] == now.Perms[3:], "event %d: change %d: mprotect makes %s of %s", r.Seq, i, now.Perms, was.Perms)
		}
	}
}

// perms checks permissions against a prot argument; personality(READ_IMPLIES_EXEC) may add execution.
func (c *checker) perms(r *Event, i int, a *Attr, prot uint64) {
	p, err := vm.ParsePerms(a.Perms)
	c.must(err == nil && allows(p, prot), "event %d: change %d: prot %d gave %s", r.Seq, i, prot, a.Perms)
}

// allows reports whether a mapping may have permissions p after mprotect(2) with prot has succeeded: with
// READ_IMPLIES_EXEC, what is readable is executable too.
func allows(p vm.Perms, prot uint64) bool {
	p &= vm.Read | vm.Write | vm.Exec
	want := vm.ProtPerms(prot)
	return p == want || p == want|vm.Exec && want&vm.Read != 0
}

// added checks that a mapping call added one mapping, at its result, after removing what was mapped there.
func (c *checker) added(r *Event) (at vm.Range, ok bool) {
	n := len(r.Changes)
	if !c.must(n > 0 && r.Changes[n-1].Was == nil, "event %d: %s succeeded, and its last change maps nothing", r.Seq, r.Call) {
		return at, false
	}
	for i := range n - 1 {
		c.must(r.Changes[i].Was != nil, "event %d: change %d: %s maps a second range", r.Seq, i, r.Call)
	}
	at = r.Changes[n-1].span()
	c.within(r, at)
	return at, c.must(at.Start == uint64(r.Result.Value), "event %d: %s returned %v, and mapped %v", r.Seq, r.Call, Hex(r.Result.Value), at)
}

func (c *checker) mmap(r *Event) {
	at, ok := c.added(r)
	length, ok1 := r.number("length")
	flags, ok2 := r.number("flags")
	prot, ok3 := r.number("prot")
	if !ok || !ok1 || !ok2 || !ok3 {
		return
	}
	n := len(r.Changes) - 1
	now := r.Changes[n].Now
	want := vm.RangeOf(at.Start, length)
	anonymous := flags&vm.MapAnonymous != 0
	huge := flags&vm.MapHugeTLB != 0 || !anonymous && (at.Start|at.End)%hugePage == 0
	c.must(at == want || huge && at.Covers(want), "event %d: mmap was asked for %d bytes, and mapped %v", r.Seq, length, at)
	if flags&vm.MapFixed != 0 {
		addr, ok := r.number("addr")
		c.must(!ok || addr == at.Start, "event %d: mmap with MAP_FIXED at %v returned %v", r.Seq, Hex(addr), Hex(at.Start))
	} else {
		c.must(n == 0, "event %d: mmap without MAP_FIXED returned a range that was not free", r.Seq)
	}
	c.must(flags&vm.MapFixedNoReplace == 0 || n == 0, "event %d: mmap with MAP_FIXED_NOREPLACE returned a range that was not free", r.Seq)
	c.perms(r, n, now, prot)
	sharing := flags & vm.MapTypeMask
	c.must(sharing >= vm.MapShared && sharing <= vm.MapSharedValidate || sharing == vm.MapDroppable, "event %d: mmap with flags %#x, neither private nor shared, succeeded", r.Seq, flags)
	shared := flags&vm.MapTypeMask == vm.MapShared || flags&vm.MapTypeMask == vm.MapSharedValidate
	c.must(shared == (now.Perms[3] == 's'), "event %d: mmap with flags %#x gave %s", r.Seq, flags, now.Perms)
	if flags&vm.MapGrowsDown != 0 {
		c.growsDown[r.Seq] = true
	}
	if anonymous {
		c.must(shared || flags&vm.MapHugeTLB != 0 || now.Inode == 0, "event %d: mmap with MAP_ANONYMOUS mapped a file", r.Seq)
		return
	}
	fd, ok := r.number("fd")
	c.must(!ok || int32(fd) >= 0, "event %d: mmap of descriptor %d succeeded", r.Seq, int32(fd))
	c.must(now.Inode != 0 || now.Path != "", "event %d: mmap of a file mapped none", r.Seq)
	offset, ok := r.number("offset")
	if pages, ok2 := r.number("pgoffset"); ok2 {
		offset, ok = pages*vm.PageSize, true
	}
	// Drivers and file systems in memory choose offsets of their own.
	if ok && ownFile(now.Path) {
		c.must(offset == now.Offset, "event %d: mmap of offset %d mapped %d", r.Seq, offset, now.Offset)
	}
}

// shmat checks what it attached: a segment from its beginning, shared, with the permissions that the flags ask for.
func (c *checker) shmat(r *Event) {
	if _, ok := c.added(r); !ok {
		return
	}
	n := len(r.Changes) - 1
	now := r.Changes[n].Now
	c.must(now.Inode != 0 && now.Offset == 0, "event %d: shmat attached no segment, or none from its beginning", r.Seq)
	c.must(strings.HasSuffix(now.Perms, "s"), "event %d: shmat gave %s", r.Seq, now.Perms)
	flags, ok := r.number("shmflg")
	if !ok {
		return
	}
	prot := uint64(vm.ProtRead)
	if flags&vm.ShmReadOnly == 0 {
		prot |= vm.ProtWrite
	}
	if flags&vm.ShmExec != 0 {
		prot |= vm.ProtExec
	}
	c.perms(r, n, now, prot)
}

// shmdt checks that all that it removed is of one segment, each piece where an attachment at its address has it.
func (c *checker) shmdt(r *Event) {
	addr, ok := r.number("shmaddr")
	for i := range r.Changes {
		was := r.Changes[i].Was
		if was == nil {
			continue // reported
		}
		c.must(strings.HasSuffix(was.Perms, "s") && (!ok || uint64(r.Changes[i].Start)-addr == was.Offset), "event %d: change %d: shmdt removed what it had not attached", r.Seq, i)
		first := r.Changes[0].Was
		c.must(first == nil || was.Inode == first.Inode && was.Dev == first.Dev, "event %d: change %d: shmdt removed two segments", r.Seq, i)
	}
}

// ownFile reports whether the kernel keeps the file offset given to mmap(2) for such a mapping.
func ownFile(path string) bool {
	for _, other := range []string{"/dev/", "/proc/", "/sys/", "/[", "/dmabuf:"} {
		if strings.HasPrefix(path, other) {
			return false
		}
	}
	return strings.HasPrefix(path, "/")
}

// brk checks that an addition ends at the new break, and that a removal begins at or above it.
func (c *checker) brk(r *Event) {
	if addr, ok := r.number("addr"); ok {
		c.must(addr == uint64(r.Result.Value), "event %d: brk(%v) succeeded, and returned %v", r.Seq, Hex(addr), Hex(r.Result.Value))
	}
	at := vm.PageUp(uint64(r.Result.Value))
	for i := range r.Changes {
		ch := &r.Changes[i]
		if ch.Was == nil {
			c.must(uint64(ch.End) == at, "event %d: change %d: brk returned %v, and mapped up to %v", r.Seq, i, Hex(r.Result.Value), ch.End)
			c.perms(r, i, ch.Now, vm.ProtRead|vm.ProtWrite)
			c.must(ch.Now.Inode == 0 && ch.Now.Perms[3] == 'p', "event %d: change %d: brk mapped a file", r.Seq, i)
		} else {
			c.must(uint64(ch.Start) >= at, "event %d: change %d: brk returned %v, and unmapped %v", r.Seq, i, Hex(r.Result.Value), ch.Start)
		}
	}
}

// afterCall checks what must stand in the ledger once a call has succeeded.
func (c *checker) afterCall(r *Event, s *SpaceState) {
	switch r.Call {
	case "munmap":
		if x, ok := r.span("addr", "length"); ok {
			c.must(s.Ledger.Free(x), "event %d: munmap of %v succeeded, and something is mapped there still", r.Seq, x)
		}
	case "mprotect", "pkey_mprotect":
		x, ok := r.span("addr", "len")
		prot, ok2 := r.number("prot")
		if !ok || !ok2 || prot&(vm.ProtGrowsDown|vm.ProtGrowsUp) != 0 {
			return
		}
		c.must(s.Ledger.Covered(x), "event %d: %s of %v succeeded, and not all of it is mapped", r.Seq, r.Call, x)
		s.Ledger.Overlapping(x, func(e ledger.Entry) bool {
			return c.must(allows(e.Perms, prot), "event %d: prot %d succeeded, and %v is %v", r.Seq, prot, e.Range, e.Perms)
		})
	case "mremap":
		old, ok := r.span("old_address", "old_size")
		size, ok2 := r.number("new_size")
		to := vm.RangeOf(uint64(r.Result.Value), size)
		// A mapping that grows is one piece. Otherwise there may be gaps: Linux 6.17 moves several mappings at once
		// with the gaps between them, and a shrink in place checks only the first (mm/mremap.c).
		c.must(!ok || !ok2 || size <= old.Len() || s.Ledger.Covered(to), "event %d: mremap returned %v, and not all of it is mapped", r.Seq, to)
	case "brk":
		at := vm.PageUp(uint64(r.Result.Value))
		above, ok := s.Ledger.At(at)
		c.must(!ok || above.File.Path != "[heap]", "event %d: brk returned %v, and the heap goes on", r.Seq, Hex(r.Result.Value))
	}
}
