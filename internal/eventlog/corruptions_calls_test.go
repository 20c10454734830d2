package eventlog

// moveMapped moves what an mmap mapped, and what it returned.
func moveMapped(e *Event, by uint64) bool {
	c := &e.Changes[len(e.Changes)-1]
	if len(e.Changes) != 1 || e.argument("flags").Value&0x10 != 0 {
		return false
	}
	c.Start, c.End = c.Start+Hex(by), c.End+Hex(by)
	e.Result.Value += int64(by)
	return true
}

// corruptionsOfCalls are untruths that no kernel can serve, or that no other line agrees with.
var corruptionsOfCalls = []corruption{
	{"an address of the kernel's", call("mmap", func(e *Event) bool { return moveMapped(e, 0xffff_8000_0000_0000) })},
	{"an offset within a page", call("mmap", func(e *Event) bool { return e.flip("offset", 1) && e.argument("flags").Value&0x20 == 0 })},
	{"mmap of nothing", call("mmap", func(e *Event) bool { e.argument("length").Value = 0; return true })},
	{"MAP_FIXED within a page", call("mmap", func(e *Event) bool { return e.argument("flags").Value&0x10 != 0 && e.flip("addr", 1) })},
	{"munmap within a page", call("munmap", func(e *Event) bool { return e.flip("addr", 1) })},
	{"mprotect within a page", call("mprotect", func(e *Event) bool { return e.flip("addr", 1) })},
	{"mprotect grows both ways", call("mprotect", func(e *Event) bool { return e.flip("prot", 0x3000000) })},
	{"mremap within a page", call("mremap", func(e *Event) bool { return e.flip("old_address", 1) })},
	{"mremap to nothing", call("mremap", func(e *Event) bool { e.argument("new_size").Value = 0; return true })},
	{"mremap leaves the old without moving", call("mremap", func(e *Event) bool {
		f := e.argument("flags")
		f.Value = f.Value&^1 | 4
		return true
	})},
	{"NOREPLACE over live pages", call("mmap", func(e *Event) bool { return len(e.Changes) > 1 && e.flip("flags", 0x100000) })},
	{"a mapping that is both private and shared", call("mmap", func(e *Event) bool { e.argument("flags").Value &^= 3; return true })},
	{"shmat writes what it attached for reading", call("shmat", func(e *Event) bool { return e.flip("shmflg", 0o10000) && len(e.Changes) > 0 })},
	{"shmat of a part", call("shmat", func(e *Event) bool { c := &e.Changes[len(e.Changes)-1]; c.Now.Offset += 4096; return c.Now != nil })},
	{"shmat attaches anonymous memory", call("shmat", func(e *Event) bool {
		c := &e.Changes[len(e.Changes)-1]
		c.Now.Inode, c.Now.Path, c.Now.Dev = 0, "", "00:00"
		return true
	})},
	{"shmat of private memory", call("shmat", func(e *Event) bool { return swapPerm(e.Changes[len(e.Changes)-1].Now, 3, 's', 'p') })},
	{"shmdt of something else", call("shmdt", func(e *Event) bool { return len(e.Changes) > 0 && e.flip("shmaddr", 1<<30) })},
	{"an argument twice", event(func(e *Event) bool {
		if len(e.Args) < 2 {
			return false
		}
		e.Args[1].Name = e.Args[0].Name
		return true
	})},
	{"an argument of another call", event(func(e *Event) bool { e.Args[0].Name = "elsewhere"; return true })},
	{"execve changes a mapping", call("execve execveat", func(e *Event) bool {
		e.Changes = []Change{{Start: 0x1000, End: 0x2000, Now: &Attr{Perms: "r--p"}}}
		return true
	})},
	{"a change that changes nothing", event(func(e *Event) bool {
		if len(e.Changes) == 0 || e.Changes[0].Now == nil {
			return false
		}
		c := e.Changes[len(e.Changes)-1]
		c.Was = c.Now
		e.Changes = append(e.Changes, c)
		return true
	})},
	{"a drift that changes nothing", record(func(r *Drift) bool { r.Changes = nil; return true })},
	{"permissions that are none", side(true, func(a *Attr) bool { a.Perms = "rwxz"; return true })},
	{"a frame a page further in its module", func(l *corruptible, i int) bool {
		s, ok := l.recs[i].(*Stack)
		if !ok || len(s.Frames) < 3 || s.Frames[1].Module != s.Frames[2].Module {
			return false
		}
		l.edit(i).(*Stack).Frames[2].Offset += 4096
		return true
	}},
	{"frames omitted that are not", record(func(r *Stack) bool { r.Frames[len(r.Frames)-1].Omitted = -1; return true })},
	{"the page size", record(func(r *Header) bool { r.Host.PageSize = 1 << 20; return true })},
	{"a version to come", record(func(r *Header) bool { r.Version = 99; return true })},
	{"another format", record(func(r *Header) bool { r.Format = "strace"; return true })},
	{"shared above rss", record(func(r *Snapshot) bool { r.Mappings[0].Shared += 1 << 40; return true })},
	{"rows without end", record(func(r *Snapshot) bool {
		r.Mappings[0].Rows = int((r.Mappings[0].End-r.Mappings[0].Start)/4096) + 2
		return true
	})},
	{"a snapshot before an exec that is none", func(l *corruptible, i int) bool {
		r, ok := l.recs[i].(*Snapshot)
		if !ok || r.Cause != "exit" {
			return false
		}
		l.edit(i).(*Snapshot).Cause = "exec"
		return true
	}},
	{"a snapshot for no cause", record(func(r *Snapshot) bool { r.Cause = "whim"; return true })},
	{"a space of a thread's number", record(func(r *Space) bool { r.PID = -1; return true })},
	{"a space before its parent's events", record(func(r *Space) bool {
		if r.Parent == nil {
			return false
		}
		*r.Parent = 1000
		return true
	})},
	{"an exit by code and signal", record(func(r *Thread) bool { n, m := 9, 1; r.Exit = &Exit{Code: &m, Signal: &n}; return r.What == "exit" })},
	{"a thread begins with an exit status", record(func(r *Thread) bool { n := 0; r.Exit = &Exit{Code: &n}; return r.What == "start" })},
	{"a symbol of a module that is not known", record(func(r *Symbol) bool { r.Module = 1000; return true })},
	{"a symbol without names", record(func(r *Symbol) bool { r.Frames = nil; return true })},
	{"a note without text", record(func(r *Note) bool { r.Text = ""; return true })},
	{"the end's cgroup", record(func(r *End) bool { r.System = System{"cgroup_current": -1}; return true })},
	{"a negative time", record(func(r *Snapshot) bool { r.T = -1; return true })},
}
