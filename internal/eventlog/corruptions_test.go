package eventlog

import "slices"

// corruptions are all kinds of untruth that a log alone can show.
var corruptions = []corruption{
	// What was mapped.
	{"another file offset", added(func(e *Event, c *Change) bool { c.Now.Offset += 4096; return backed(c.Now) })},
	{"another file offset in the arguments", added(func(e *Event, c *Change) bool {
		return backed(c.Now) && e.flip("offset", 4096)
	})},
	{"a file offset of anonymous memory", added(func(e *Event, c *Change) bool { c.Now.Offset += 4096; return c.Now.Inode == 0 })},
	{"a file offset within a page", side(true, func(a *Attr) bool { a.Offset++; return true })},
	{"private and shared exchanged", added(func(e *Event, c *Change) bool { return swapPerm(c.Now, 3, 'p', 's') })},
	{"private and shared exchanged in the flags", added(func(e *Event, c *Change) bool { return e.flip("flags", 3) })},
	{"execution dropped", added(func(e *Event, c *Change) bool { return c.Now.Perms[2] == 'x' && swapPerm(c.Now, 2, 'x', '-') })},
	{"execution asked for and not given", added(func(e *Event, c *Change) bool { return c.Now.Perms[2] == '-' && e.flip("prot", 4) })},
	{"writing added", added(func(e *Event, c *Change) bool { return swapPerm(c.Now, 1, 'w', '-') })},
	{"writing added in the arguments", added(func(e *Event, c *Change) bool { return e.flip("prot", 2) })},
	{"reading dropped", added(func(e *Event, c *Change) bool { return swapPerm(c.Now, 0, 'r', '-') })},
	{"a file where anonymous memory was asked for", added(func(e *Event, c *Change) bool {
		c.Now.Inode, c.Now.Path, c.Now.Dev = 7, "/srv/x", "fe:00"
		return e.argument("flags").Value&0x21 == 0x20
	})},
	{"anonymous memory where a file was asked for", added(func(e *Event, c *Change) bool {
		file := c.Now.Inode != 0
		c.Now.Inode, c.Now.Path, c.Now.Dev, c.Now.Offset = 0, "", "00:00", 0
		return file && e.argument("flags").Value&0x20 == 0
	})},
	{"a file without descriptor", added(func(e *Event, c *Change) bool {
		e.argument("fd").Value = -1
		return backed(c.Now)
	})},
	{"a file without name", side(true, func(a *Attr) bool { a.Path = ""; return a.Inode != 0 })},
	{"one page more", added(func(e *Event, c *Change) bool { c.End += 4096; return true })},
	{"one page less", added(func(e *Event, c *Change) bool { c.End -= 4096; return c.End-c.Start > 4096 })},
	{"a longer length", call("mmap", func(e *Event) bool { e.argument("length").Value += 4096; return true })},
	{"mapped elsewhere", added(func(e *Event, c *Change) bool { c.Start += 1 << 30; c.End += 1 << 30; return true })},
	{"MAP_FIXED elsewhere", call("mmap", func(e *Event) bool {
		return e.argument("flags").Value&0x10 != 0 && e.flip("addr", 1<<20)
	})},
	{"MAP_FIXED dropped over live pages", call("mmap", func(e *Event) bool { return len(e.Changes) > 1 && e.flip("flags", 0x10) })},
	{"the change dropped", call("mmap munmap mprotect mremap shmat shmdt", func(e *Event) bool {
		some := len(e.Changes) > 0
		e.Changes = nil
		return some && e.Call != "shmdt"
	})},
	{"a removal dropped", call("mmap", func(e *Event) bool { e.Changes = e.Changes[1:]; return len(e.Changes) > 0 })},
	{"a change doubled", event(func(e *Event) bool {
		if len(e.Changes) > 0 {
			e.Changes = append(e.Changes, e.Changes[0])
		}
		return len(e.Changes) > 0
	})},
	{"a second range mapped", added(func(e *Event, c *Change) bool {
		d := *c
		d.Start, d.End = c.End+1<<30, c.End+1<<30+4096
		e.Changes = append([]Change{d}, e.Changes...)
		return true
	})},
	{"the heap is a file", call("brk", func(e *Event) bool {
		if len(e.Changes) == 0 || e.Changes[0].Now == nil {
			return false
		}
		a := e.Changes[0].Now
		a.Inode, a.Dev, a.Path = 7, "fe:00", "/srv/x"
		return true
	})},
	// What was there.
	{"other permissions before", side(false, func(a *Attr) bool { return swapPerm(a, 0, 'r', '-') })},
	{"another origin before", side(false, func(a *Attr) bool {
		if a.Origin == nil {
			return false
		}
		*a.Origin++
		return true
	})},
	{"another file before", side(false, func(a *Attr) bool { a.Inode++; a.Path = "/srv/x"; return true })},
	{"moved_from gone before", side(false, func(a *Attr) bool {
		had := a.MovedFrom != nil
		a.MovedFrom = nil
		return had
	})},
	{"another origin", side(true, func(a *Attr) bool {
		if a.Origin == nil {
			return false
		}
		*a.Origin--
		return true
	})},
	{"origin and cause", side(true, func(a *Attr) bool { a.OriginCause = "drift"; return a.Origin != nil })},
	{"a range that is no whole pages", event(func(e *Event) bool {
		if len(e.Changes) > 0 {
			e.Changes[0].Start++
		}
		return len(e.Changes) > 0
	})},
	// The calls.
	{"arguments emptied", event(func(e *Event) bool { e.Args = nil; return true })},
	{"one argument gone", event(func(e *Event) bool { e.Args = e.Args[:len(e.Args)-1]; return e.Call != "mremap" })},
	{"no call", event(func(e *Event) bool { e.Call = ""; return true })},
	{"a result removed", event(func(e *Event) bool {
		had := e.Result != nil
		e.Result = nil
		return had
	})},
	{"a result changed", event(func(e *Event) bool {
		if e.Result == nil {
			return false
		}
		e.Result.Value += 4096
		return true
	})},
	{"an error and a result", event(func(e *Event) bool { e.Result = &Result{}; return e.Error != "" })},
	{"no errno", event(func(e *Event) bool { e.Error = "E" + e.Error; return e.Error != "E" })},
	{"a success turned into an error", event(func(e *Event) bool {
		ok := e.Error == "" && len(e.Changes) > 0 && e.Call != "mprotect" && e.Call != "munmap" && e.Call != "mremap"
		e.Error, e.Result = "ENOMEM", nil
		return ok
	})},
	{"an error of munmap turned into success", succeed("munmap")},
	{"an error of mmap turned into success", succeed("mmap")},
	{"an error of mprotect turned into success", succeed("mprotect")},
	{"an error of mremap turned into success", succeed("mremap")},
	{"an error of brk turned into success", succeed("brk")},
	{"an error of execve turned into success", succeed("execve execveat")},
	{"munmap of nothing", call("munmap", func(e *Event) bool { e.argument("length").Value = 0; return true })},
	{"munmap of more", call("munmap", func(e *Event) bool {
		e.argument("length").Value *= 1 << 30
		return true
	})},
	{"munmap of less", call("munmap", func(e *Event) bool {
		a := e.argument("length")
		a.Value -= 4096
		return a.Value > 0 && len(e.Changes) > 0 && uint64(e.Changes[0].End) == uint64(e.argument("addr").Value+a.Value+4096)
	})},
	{"mprotect with another prot", call("mprotect", func(e *Event) bool { return e.flip("prot", 2) })},
	{"mprotect gave execution without reading", call("mprotect", func(e *Event) bool {
		return len(e.Changes) > 0 && e.Changes[0].Now.Perms[:3] == "---" && swapPerm(e.Changes[0].Now, 2, 'x', '-')
	})},
	{"mprotect shares", call("mprotect", func(e *Event) bool {
		return len(e.Changes) > 0 && swapPerm(e.Changes[0].Now, 3, 'p', 's')
	})},
	{"mprotect of another file", call("mprotect", func(e *Event) bool {
		if len(e.Changes) > 0 {
			e.Changes[0].Now.Inode++
		}
		return len(e.Changes) > 0
	})},
	{"mremap may not move", call("mremap", func(e *Event) bool {
		return e.Result.Value != e.argument("old_address").Value && e.flip("flags", 1)
	})},
	{"mremap with a flag that is none", call("mremap", func(e *Event) bool { return e.flip("flags", 8) })},
	{"mremap leaves what it moved, by its flags", call("mremap", func(e *Event) bool {
		return e.Result.Value != e.argument("old_address").Value && e.argument("old_size").Value != 0 && e.flip("flags", 4)
	})},
	{"mremap fixed elsewhere", call("mremap", func(e *Event) bool {
		return e.argument("new_address") != nil && e.argument("new_address").Value != e.Result.Value && e.flip("flags", 2)
	})},
	{"moved_from gone", call("mremap", func(e *Event) bool {
		for i := range e.Changes {
			if n := e.Changes[i].Now; n != nil && n.MovedFrom != nil {
				n.MovedFrom = nil
				return true
			}
		}
		return false
	})},
	{"moved from another place", call("mremap", func(e *Event) bool {
		for i := range e.Changes {
			if n := e.Changes[i].Now; n != nil && n.MovedFrom != nil {
				n.MovedFrom.Start += 4096
				return true
			}
		}
		return false
	})},
	{"moved with other permissions", call("mremap", func(e *Event) bool {
		for i := range e.Changes {
			if n := e.Changes[i].Now; n != nil && n.MovedFrom != nil {
				return swapPerm(n, 1, 'w', '-')
			}
		}
		return false
	})},
	{"moved_from where nothing moved", added(func(e *Event, c *Change) bool { c.Now.MovedFrom = &Moved{Start: c.Start}; return true })},
	// Who.
	{"an unknown tid", event(func(e *Event) bool { e.TID += 100000; return true })},
	{"another pid", event(func(e *Event) bool { e.PID++; return true })},
	{"another space", func(l *corruptible, i int) bool {
		e, ok := l.recs[i].(*Event)
		if !ok {
			return false
		}
		l.edit(i).(*Event).Space = e.Space%2 + 1
		return true
	}},
	{"a space that is not known", event(func(e *Event) bool { e.Space = 1000; return true })},
	{"a thread's start deleted", without(what("start"))},
	{"a thread's start doubled", twice(what("start"))},
	{"a thread's start too late", func(l *corruptible, i int) bool {
		t, ok := l.recs[i].(*Thread)
		if !ok || t.What != "start" {
			return false
		}
		j := l.next(i, ofThread(t.TID))
		return j >= 0 && l.move(i, j)
	}},
	{"a thread that executes deleted", without(what("exec"))},
	{"a thread that executes doubled", twice(what("exec"))},
	{"a thread's exit deleted", func(l *corruptible, i int) bool {
		t, ok := l.recs[i].(*Thread)
		if end := l.recs[len(l.recs)-1].(*End); !ok || t.What != "exit" || end.Cause != "exit" {
			return false
		}
		l.lines[i] = nil
		return true
	}},
	{"a thread's exit doubled", twice(what("exit"))},
	{"a thread's exit too early", func(l *corruptible, i int) bool {
		t, ok := l.recs[i].(*Thread)
		if !ok || t.What != "exit" {
			return false
		}
		for j := i - 1; j > 0; j-- {
			if ofThread(t.TID)(l.recs[j]) {
				return l.move(i, j)
			}
		}
		return false
	}},
	{"a thread of another process", record(func(r *Thread) bool { r.PID++; return true })},
	{"another thread", record(func(r *Thread) bool { r.TID += 100000; return true })},
	{"a thread in another space", record(func(r *Thread) bool { r.Space++; return true })},
	{"a thread that neither starts nor ends", record(func(r *Thread) bool { r.What = "rests"; return true })},
	// Stacks and names.
	{"frames emptied", record(func(r *Stack) bool { r.Frames = nil; return true })},
	{"a frame outside of every mapping", record(func(r *Stack) bool {
		f := &r.Frames[len(r.Frames)-1]
		f.PC ^= 1 << 44
		return true
	})},
	{"a frame in another module", func(l *corruptible, i int) bool {
		if _, ok := l.recs[i].(*Stack); !ok {
			return false
		}
		f := &l.edit(i).(*Stack).Frames[0]
		f.Module = f.Module%2 + 1
		return true
	}},
	{"a frame in a module that is not known", record(func(r *Stack) bool { r.Frames[0].Module = 1000; return true })},
	{"a frame elsewhere in the page of the file", record(func(r *Stack) bool { r.Frames[0].Offset++; return true })},
	{"the first frame is a return address", record(func(r *Stack) bool { r.Frames[0].Call = true; return true })},
	{"a frame without a way it was found", record(func(r *Stack) bool { r.Frames[0].Via = ""; return true })},
	{"a stack that is whole and is not", record(func(r *Stack) bool { r.Complete = !r.Complete; return true })},
	{"a stack deleted", without(any_[*Stack])},
	{"a stack doubled", twice(any_[*Stack])},
	{"a stack that is not known", event(func(e *Event) bool {
		if e.Stack != nil {
			*e.Stack = 1000
		}
		return e.Stack != nil
	})},
	{"a module deleted", without(any_[*Module])},
	{"a module doubled", twice(any_[*Module])},
	{"another inode of a module", record(func(r *Module) bool { r.Inode++; return r.Path[0] == '/' })},
	{"one address with two names", func(l *corruptible, i int) bool {
		if _, ok := l.recs[i].(*Symbol); !ok {
			return false
		}
		s := l.edit(i).(*Symbol)
		s.Frames[0].Function = "other"
		l.lines[i] = append(slices.Clone(l.lines[i]), AppendRecord(nil, s)...)
		delete(l.at, i)
		return true
	}},
	{"a name of no frame", record(func(r *Symbol) bool { r.Offset += 0x1000000; return true })},
	{"a name that begins behind its address", record(func(r *Symbol) bool {
		r.Frames[len(r.Frames)-1].Start = r.Offset + 1
		return true
	})},
	{"a chain of inlined calls without its end", record(func(r *Symbol) bool {
		r.Frames[len(r.Frames)-1].Inlined = true
		return true
	})},
	// Spaces, drift and snapshots.
	{"a space deleted", without(any_[*Space])},
	{"a space doubled", twice(any_[*Space])},
	{"a space of another process", record(func(r *Space) bool { r.PID += 100000; return true })},
	{"a space of another parent", record(func(r *Space) bool {
		if r.Parent != nil {
			*r.Parent = r.Space
		}
		return r.Parent != nil
	})},
	{"a space that begins otherwise", record(func(r *Space) bool { r.Cause = "birth"; return true })},
	{"a fork before the parent's call", record(func(r *Space) bool { r.After--; return r.Cause == "fork" })},
	{"a fork after the parent's next call", record(func(r *Space) bool { r.After++; return r.Cause == "fork" })},
	{"a child lacks a mapping", record(func(r *Space) bool {
		n := 0
		for n < len(r.Mappings) && r.Mappings[n].Origin == nil {
			n++
		}
		if r.Cause != "fork" || n == len(r.Mappings) {
			return false
		}
		r.Mappings = slices.Delete(r.Mappings, n, n+1)
		return true
	})},
	{"a child has other permissions", record(func(r *Space) bool { return r.Cause == "fork" && swapPerm(&r.Mappings[0].Attr, 1, 'w', '-') })},
	{"an exec that is none", record(func(r *Space) bool { r.After--; return r.Cause == "exec" })},
	{"mappings that overlap", record(func(r *Space) bool {
		if len(r.Mappings) > 1 {
			r.Mappings[0].End = r.Mappings[1].End
		}
		return len(r.Mappings) > 1
	})},
	{"a drift deleted", without(any_[*Drift])},
	{"a drift that a call explains", record(func(r *Drift) bool {
		n := r.Changes[0].Now
		if n == nil || r.After == 0 {
			return false
		}
		n.Origin, n.OriginCause = &r.After, ""
		return true
	})},
	{"a growth of no stack", record(func(r *Drift) bool {
		other := r.Guess == "stack growth"
		r.Guess = "unknown"
		return other
	})},
	{"a growth beside another mapping", record(func(r *Drift) bool {
		if r.Beside == nil {
			return false
		}
		*r.Beside--
		return true
	})},
	{"a drift elsewhere in the order", record(func(r *Drift) bool { r.After++; return true })},
	{"rss above size", record(func(r *Snapshot) bool {
		for i := range r.Mappings {
			r.Mappings[i].RSS += 1 << 40
		}
		return true
	})},
	{"pss above rss", record(func(r *Snapshot) bool {
		for i := range r.Mappings {
			r.Mappings[i].PSS = r.Mappings[i].RSS + 4096
		}
		return true
	})},
	{"private_dirty above rss", record(func(r *Snapshot) bool { r.Mappings[0].PrivateDirty += 1 << 30; return true })},
	{"swap above size", record(func(r *Snapshot) bool { r.Mappings[0].Swap += 1 << 30; return true })},
	{"a snapshot lacks a mapping", record(func(r *Snapshot) bool { r.Mappings = r.Mappings[1:]; return true })},
	{"a snapshot with another origin", record(func(r *Snapshot) bool {
		for i := range r.Mappings {
			if o := r.Mappings[i].Origin; o != nil {
				*o++
				return true
			}
		}
		return false
	})},
	{"a snapshot of another moment", record(func(r *Snapshot) bool { r.After++; return true })},
	// The whole.
	{"an event deleted", without(any_[*Event])},
	{"an event doubled", twice(any_[*Event])},
	{"two events exchanged", func(l *corruptible, i int) bool {
		_, ok := l.recs[i].(*Event)
		if j := l.next(i, func(r Record) bool { _, ok := r.(*Event); return ok }); ok && j > 0 {
			l.lines[i], l.lines[j] = l.lines[j], l.lines[i]
			return true
		}
		return false
	}},
	{"time falls", event(func(e *Event) bool { e.T -= 1 << 50; return true })},
	{"time runs ahead", event(func(e *Event) bool { e.T += 1 << 50; return true })},
	{"a thread after the end", record(func(r *Thread) bool { r.T += 1 << 50; return true })},
	{"end.events", record(func(r *End) bool { r.Events++; return true })},
	{"end.stacks", record(func(r *End) bool { r.Stacks--; return true })},
	{"end.drifts", record(func(r *End) bool { r.Drifts++; return true })},
	{"end.checks: too few", func(l *corruptible, i int) bool {
		e, ok := l.recs[i].(*End)
		spaces := uint64(0)
		for _, r := range l.recs {
			if _, ok := r.(*Space); ok {
				spaces++
			}
		}
		if !ok || e.Checks < spaces || spaces < 2 {
			return false
		}
		l.edit(i).(*End).Checks = 1
		return true
	}},
	{"end.checks: too many", record(func(r *End) bool { r.Checks += 1 << 20; return true })},
	{"end.lost", record(func(r *End) bool { r.Lost++; return true })},
	{"end: another cause", record(func(r *End) bool {
		if r.Cause == "exit" {
			r.Cause = "duration"
		} else {
			r.Cause = "exit"
		}
		return r.Exit != nil || r.Cause == "exit"
	})},
	{"end: no exit", record(func(r *End) bool {
		had := r.Exit != nil
		r.Exit = nil
		return had
	})},
	{"end: code and signal", record(func(r *End) bool {
		if r.Exit != nil {
			n := 9
			r.Exit.Signal = &n
		}
		return r.Exit != nil
	})},
	{"the end deleted", without(any_[*End])},
	{"the end doubled", twice(any_[*End])},
	{"a note of no level", record(func(r *Note) bool { r.Level = "loud"; return true })},
	// Advice.
	{"advice of an unknown space", record(func(r *Advice) bool { r.Space += 1000; return true })},
	{"advice of a thread that is none", record(func(r *Advice) bool { r.TID += 1 << 20; return true })},
	{"advice of another process", record(func(r *Advice) bool { r.PID++; return true })},
	{"advice after another event", record(func(r *Advice) bool { r.After++; return true })},
	{"advice by another call", record(func(r *Advice) bool { r.Call = "munmap"; return true })},
	{"advice that changes a mapping", record(func(r *Advice) bool { r.Args[2].Value = 10; return true })},
	{"advice that neither succeeded nor failed", record(func(r *Advice) bool { r.Result, r.Error = nil, ""; return true })},
	{"advice that returned more than 0", record(func(r *Advice) bool { r.Result, r.Error = &Result{Value: 1}, ""; return true })},
	{"advice without an address", record(func(r *Advice) bool { r.Args = r.Args[1:]; return true })},
	{"advice with an unknown stack", record(func(r *Advice) bool { n := 1 << 20; r.Stack = &n; return true })},
	{"advice: more in memory than its range", record(func(r *Advice) bool { n := int64(1 << 40); r.Left = &n; return true })},
	{"advice: half a page", record(func(r *Advice) bool { n := int64(2048); r.Before = &n; return true })},
	{"advice counted, and a header that says not", record(func(r *Header) bool {
		was := r.Advice
		r.Advice = "uncounted"
		return was == "counted"
	})},
	{"advice, and a header that says none", record(func(r *Header) bool {
		was := r.Advice
		r.Advice = ""
		return was != ""
	})},
	// Segments.
	{"an origin deleted", without(any_[*Origin])},
	{"an origin doubled", twice(any_[*Origin])},
	{"an origin of later", record(func(r *Origin) bool { r.Seq += 1 << 20; return true })},
	{"an origin that made nothing", record(func(r *Origin) bool { r.Changes = nil; return true })},
	{"more events before the segment", record(func(r *Header) bool {
		if r.Segment == nil {
			return false
		}
		g := *r.Segment
		g.Events++
		r.Segment = &g
		return true
	})},
	{"no segment", record(func(r *Header) bool {
		had := r.Segment != nil
		r.Segment = nil
		return had
	})},
	{"a space that was there already", record(func(r *Space) bool {
		whole := r.Cause != "segment"
		r.Cause = "segment"
		return whole
	})},
	{"a second header", twice(any_[*Header])},
	{"a mode that is none", record(func(r *Header) bool { r.Mode = "watch"; return true })},
	{"another mode", record(func(r *Header) bool {
		r.Mode = map[string]string{"run": "attach", "attach": "run"}[r.Mode]
		return true
	})},
	{"a line cut", func(l *corruptible, i int) bool {
		l.lines[i] = append(slices.Clone(l.lines[i][:len(l.lines[i])/2]), '\n')
		return true
	}},
}
