package e2e

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// allow lists what a program's log may have although most logs must not.
type allow struct {
	uncertain  bool // events may carry it: the program blocks its mapping calls for longer than the bound
	incomplete bool // stacks may stop early: the kernel tells no more than the pc
	nameless   bool // the program has no symbols
	renamed    bool // files are renamed while they are mapped
	otherDrift bool // what an uncertain order leaves
	killed     bool // the end may come without an exit stop
}

// hold holds a log against the account of its program.
func (r *traced) hold(t *testing.T, may allow) {
	t.Helper()
	r.holdLog(t, may)
	for _, s := range r.account.sections {
		space := r.spaceOf(t, s)
		if space == nil {
			t.Errorf("pid %d (%s): the log has no address space for it", s.pid, s.program)
			continue
		}
		r.holdMaps(t, s, space, may)
		r.holdLive(t, s, space, may)
		r.holdMoved(t, s, space)
		r.holdGrown(t, s, space)
	}
	r.holdDid(t)
}

// holdLog checks what must be true of every log.
func (r *traced) holdLog(t *testing.T, may allow) {
	t.Helper()
	end := r.log.end
	if end == nil {
		t.Fatal("the log has no end line")
	}
	for _, d := range r.log.drifts {
		if d.Guess != "stack growth" && !may.otherDrift {
			t.Errorf("drift %q of space %d after event %d: %v", d.Guess, d.Space, d.After, d.spans)
		}
	}
	incomplete := map[string]int{}
	for i := range r.log.events {
		e := &r.log.events[i]
		if e.uncertain && !may.uncertain {
			t.Errorf("event %d, %s of thread %d, is uncertain", e.seq, e.call, e.tid)
		}
		st := r.log.frames[e.stack]
		switch {
		case may.incomplete:
		case st == nil:
			incomplete["none"]++
		case !st.Complete:
			incomplete[st.End]++
		}
	}
	if len(incomplete) > 0 {
		t.Errorf("stacks of events that do not reach the outermost frame: %v", incomplete)
	}
	for _, s := range r.log.spaces {
		if s.Cause == "exec" {
			r.holdExec(t, s)
		}
		for _, m := range s.Mappings {
			if m.OriginCause == "drift" && !may.otherDrift {
				t.Errorf("space %d begins with a drift at %v", s.Space, m.Start)
			}
		}
		if r.log.snapshots[s.Space] == 0 && !(may.killed && r.noted("unverified")) {
			t.Errorf("space %d ended without a snapshot", s.Space)
		}
	}
}

func (r *traced) noted(code string) bool {
	return slices.ContainsFunc(r.log.notes, func(n eventlog.Note) bool { return n.Code == code })
}

// holdExec checks that a space that began by exec says which execve made it: an event of the space before.
func (r *traced) holdExec(t *testing.T, s *eventlog.Space) {
	t.Helper()
	e, err := r.log.event(s.After)
	if err != nil || s.Parent == nil || e.space != *s.Parent || e.call != "execve" || e.error != "" || !e.hasResult || e.changes != 0 || e.pid != s.PID {
		t.Errorf("space %d of pid %d began by %+v of space %v", s.Space, s.PID, e, s.Parent)
	}
	for _, m := range s.Mappings {
		if m.Origin != nil || m.OriginCause != "kernel" || m.Exec == nil || uint64(*m.Exec) != s.After {
			t.Errorf("space %d: the origin of %v is %q by %v, want the execve, %d", s.Space, m.Start, m.OriginCause, m.Exec, s.After)
		}
	}
	for _, th := range r.log.threads {
		if th.What == "exec" && th.Space == s.Space && th.TID == s.PID {
			return
		}
	}
	t.Errorf("space %d: no thread line of the exec", s.Space)
}

// spaceOf finds the address space of a section: the images of a process are told apart by their order, and
// a child that did not begin one lives in the space its thread line names.
func (r *traced) spaceOf(t *testing.T, s *section) *eventlog.SpaceState {
	t.Helper()
	if s.program == "" {
		for _, sp := range r.log.spaces {
			if sp.PID == s.pid && sp.Cause == "fork" {
				return r.log.Space(sp.Space)
			}
		}
		for _, th := range r.log.threads {
			if th.TID == s.pid && th.What == "start" {
				return r.log.Space(th.Space)
			}
		}
		return nil
	}
	n := 0
	for _, o := range r.account.sections {
		if o == s {
			break
		}
		if o.pid == s.pid && o.program != "" {
			n++
		}
	}
	for _, sp := range r.log.spaces {
		if sp.PID != s.pid || sp.Cause == "fork" || filepath.Dir(sp.Exe) != built.progs {
			continue
		}
		if n == 0 {
			return r.log.Space(sp.Space)
		}
		n--
	}
	return nil
}

// rows brings mappings into the form in which they can be compared page by page: without boundaries that
// mean nothing, and without labels that depend on the place.
func rows(ms []vm.Mapping, paths bool) []vm.Mapping {
	var out []vm.Mapping
	for _, m := range ms {
		if !paths || !strings.HasPrefix(m.File.Path, "/") {
			backed := m.File.Backed()
			m.File.Path = ""
			if backed && !m.File.Backed() {
				m.File.Path = "/"
			}
		}
		m.File.Path = strings.TrimSuffix(m.File.Path, " (deleted)")
		if n := len(out); n > 0 && out[n-1].End == m.Start && out[n-1].SameKind(m) {
			out[n-1].End = m.End
			continue
		}
		out = append(out, m)
	}
	return out
}

func ledgerRows(l *ledger.Ledger) []vm.Mapping {
	var ms []vm.Mapping
	for e := range l.All {
		ms = append(ms, e.Mapping)
	}
	return ms
}

// holdMaps compares the ledger with what the program read in /proc/self/maps.
func (r *traced) holdMaps(t *testing.T, s *section, space *eventlog.SpaceState, may allow) {
	t.Helper()
	if s.maps == nil {
		return
	}
	want, got := rows(s.maps, !may.renamed), rows(ledgerRows(space.Ledger), !may.renamed)
	if slices.Equal(want, got) {
		return
	}
	var b strings.Builder
	for _, m := range want {
		if !slices.Contains(got, m) {
			fmt.Fprintf(&b, "\n  kernel %v", m)
		}
	}
	for _, m := range got {
		if !slices.Contains(want, m) {
			fmt.Fprintf(&b, "\n  ledger %v", m)
		}
	}
	t.Errorf("pid %d (%s), space %d: the ledger differs from /proc/self/maps:%s", s.pid, s.program, space.ID, b.String())
}

// holdLive checks that every page the program names is there, and made by the function and thread it names.
func (r *traced) holdLive(t *testing.T, s *section, space *eventlog.SpaceState, may allow) {
	t.Helper()
	for _, want := range s.live {
		if !space.Ledger.Covered(want.Range) {
			t.Errorf("pid %d, space %d: %v of %s is not all mapped", s.pid, space.ID, want.Range, want.fn)
			continue
		}
		space.Ledger.Overlapping(want.Range, func(got ledger.Entry) bool {
			if err := r.made(got.Origin, want, may); err != nil {
				t.Errorf("pid %d, space %d: %v, said to be of %s by %s of thread %d: %v", s.pid, space.ID, got.Range, want.call, want.fn, want.tid, err)
			}
			return true
		})
	}
}

// made tells how an origin differs from what the program says.
func (r *traced) made(o ledger.Origin, want live, may allow) error {
	if o.Cause != ledger.FromEvent {
		return fmt.Errorf("its origin is %v", o)
	}
	e, err := r.log.event(o.Event)
	switch {
	case err != nil:
		return err
	case e.call != want.call || e.tid != want.tid:
		return fmt.Errorf("its origin, event %d, is %s of thread %d", e.seq, e.call, e.tid)
	case may.nameless:
		return nil
	case !slices.ContainsFunc(r.names(e.stack), func(name string) bool { return isFunction(name, want.fn) }):
		return fmt.Errorf("the stack of its origin, event %d, is %v", e.seq, r.names(e.stack))
	}
	return nil
}

// names lists the functions of a stack, innermost first, inlined ones as well.
func (r *traced) names(stack int) []string {
	var names []string
	if st := r.log.frames[stack]; st != nil {
		for _, f := range st.Frames {
			names = append(names, r.namesAt(f)...)
		}
	}
	return names
}

func (r *traced) namesAt(f eventlog.Frame) []string {
	at := address{f.Module, f.Offset}
	if f.Call {
		at.offset--
	}
	sym := r.log.symbols[at]
	if sym == nil {
		return []string{"?"}
	}
	var names []string
	for _, n := range sym.Frames {
		names = append(names, n.Function)
	}
	return names
}

// isFunction reports whether a demangled name is that of the function fn as __func__ has it.
func isFunction(name, fn string) bool {
	if name == fn {
		return true
	}
	if i := strings.LastIndex(name, fn); i >= 0 {
		before, after := name[:i], name[i+len(fn):]
		return (before == "" || strings.HasSuffix(before, "::")) && (after == "" || after[0] == '(' || after[0] == '<')
	}
	return false
}

// holdMoved finds the mremap that brought pages from where the program says.
func (r *traced) holdMoved(t *testing.T, s *section, space *eventlog.SpaceState) {
	t.Helper()
	for _, want := range s.moved {
		var covered uint64
		for i := range r.log.events {
			e := &r.log.events[i]
			if e.space != space.ID || e.call != "mremap" || e.result != want.to {
				continue
			}
			for _, c := range e.moved {
				m := c.Now.MovedFrom
				if uint64(c.Start)-want.to != uint64(m.Start)-want.from || uint64(c.Start) < want.to || uint64(c.Start) >= want.to+want.len {
					continue
				}
				if m.Origin == nil || *m.Origin == e.seq || *m.Origin == 0 {
					t.Errorf("event %d: what was moved to %v has no former origin", e.seq, c.Start)
				}
				covered += uint64(c.End - c.Start)
			}
		}
		if covered < want.len {
			t.Errorf("pid %d: of %d bytes that mremap brought from %#x to %#x, %d have moved_from", s.pid, want.len, want.from, want.to, covered)
		}
	}
}

// holdGrown finds the drift of pages that came by growth.
func (r *traced) holdGrown(t *testing.T, s *section, space *eventlog.SpaceState) {
	t.Helper()
	for _, want := range s.grown {
		var covered uint64
		for _, d := range r.log.drifts {
			for _, c := range d.spans {
				x := vm.Range{Start: uint64(c.Start), End: uint64(c.End)}.Intersect(want.Range)
				if d.Space != space.ID || x.Empty() {
					continue
				}
				covered += x.Len()
				if d.Guess != "stack growth" {
					t.Errorf("pid %d: %v grew, and is a drift of %q", s.pid, x, d.Guess)
				}
				r.holdBeside(t, want, d)
			}
		}
		if covered != want.Len() {
			t.Errorf("pid %d: of %v, which grew beside %s, %d bytes are drift", s.pid, want.Range, want.beside, covered)
		}
		space.Ledger.Overlapping(want.Range, func(e ledger.Entry) bool {
			if e.Origin.Cause != ledger.StackGrowth {
				t.Errorf("pid %d: %v grew, and its origin is %v", s.pid, e.Range, e.Origin)
			}
			return true
		})
	}
}

func (r *traced) holdBeside(t *testing.T, want grown, d drift) {
	t.Helper()
	switch {
	case want.beside == "[stack]":
		if d.Beside != nil {
			t.Errorf("growth of the main stack is beside event %d", *d.Beside)
		}
	case d.Beside == nil:
		t.Errorf("growth of what %s mapped is beside nothing", want.beside)
	default:
		e, err := r.log.event(*d.Beside)
		if err != nil || e.call != "mmap" || !slices.Contains(r.names(e.stack), want.beside) {
			t.Errorf("growth of what %s mapped is beside event %d, %s of %v", want.beside, e.seq, e.call, r.names(e.stack))
		}
	}
}

// argument says which argument of a call the account gives as addr, and which as len; -1 for none.
func argument(call string) (addr, length int) {
	switch call {
	case "mmap", "mmap2", "munmap", "mprotect", "pkey_mprotect", "remap_file_pages":
		return 0, 1
	case "mremap", "brk", "shmdt", "io_destroy":
		return 0, -1
	case "shmat", "arch_prctl":
		return 1, -1
	case "io_setup":
		return -1, 0
	case "prctl":
		return 2, 3
	}
	return -1, -1
}

func (e *event) is(d *did) bool {
	addr, length := argument(e.call)
	return e.call == d.call && e.error == d.error && (d.error != "" || e.hasResult && e.result == d.result) &&
		(addr < 0 || e.args[addr] == d.addr) && (length < 0 || e.args[length] == d.len)
}

// holdDid finds every call that the program tells of among the events of its thread, in that order.
func (r *traced) holdDid(t *testing.T) {
	t.Helper()
	byThread := map[int][]*event{}
	for i := range r.log.events {
		e := &r.log.events[i]
		byThread[e.tid] = append(byThread[e.tid], e)
	}
	for _, s := range r.account.sections {
		space := r.spaceOf(t, s)
		for i := range s.did {
			d := &s.did[i]
			events := byThread[d.tid]
			at := slices.IndexFunc(events, func(e *event) bool { return e.is(d) })
			if at < 0 {
				t.Errorf("pid %d: thread %d has no event behind the one before for: %+v", s.pid, d.tid, *d)
				continue
			}
			e := events[at]
			byThread[d.tid] = events[at+1:]
			if space == nil || e.pid != s.pid || e.space != space.ID {
				t.Errorf("event %d, %s by %s of pid %d, has pid %d and space %d", e.seq, e.call, d.fn, s.pid, e.pid, e.space)
			}
			if names := r.names(e.stack); !slices.Contains(names, "?") && !slices.ContainsFunc(names, func(n string) bool { return isFunction(n, d.fn) }) {
				t.Errorf("event %d, %s, of %s has the stack %v", e.seq, e.call, d.fn, names)
			}
		}
	}
}
