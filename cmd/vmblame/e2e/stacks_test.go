package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

var stackPrograms = []program{
	{name: "stack_alloca", also: holdMarks},
	{name: "stack_cxx", also: holdMarks},
	{name: "stack_debugframe", also: holdMarks},
	{name: "stack_dlopen", also: holdMarks},
	{name: "stack_fp", also: holdMarks},
	{name: "stack_fp", args: []string{"200"}, also: holdMarks},
	{name: "stack_go", threads: -1, also: holdMarks},
	{name: "stack_go_stripped", threads: -1, also: holdMarks},
	{name: "stack_musl", also: holdMarks},
	{name: "stack_notables", also: holdMarks},
	{name: "stack_omit", also: holdMarks},
	{name: "stack_plt", also: holdMarks},
	{name: "stack_rust", threads: -1, also: holdMarks},
	{name: "stack_signal", also: holdMarks},
	{name: "stack_static", also: holdMarks},
	{name: "stack_stripped", may: allow{nameless: true}, also: holdMarks},
	{name: "stack_tail", also: holdMarks},
	{name: "stack_thread", threads: 3, also: holdMarks},
}

// TestStacks holds stacks against the lists of return addresses that the programs keep themselves.
func TestStacks(t *testing.T) { runPrograms(t, stackPrograms) }

// holdMarks compares the stack of every marked mmap with the program's list.
func holdMarks(t *testing.T, r *traced) {
	marks := 0
	for _, s := range r.account.sections {
		for _, m := range s.marks {
			marks++
			e := r.markEvent(m)
			if e == nil {
				t.Errorf("no mmap of thread %d returned %#x", m.tid, m.start)
				continue
			}
			st := r.log.frames[e.stack]
			if st == nil {
				t.Errorf("event %d has no stack", e.seq)
				continue
			}
			if err := r.walkMark(st, m); err != "" {
				t.Errorf("event %d, the mark at %#x: %s\nwant %s\ngot  %s", e.seq, m.start, err, short(m.String()), short(r.describe(st)))
			}
		}
	}
	if marks == 0 {
		t.Error("the account has no marks")
	}
}

func (r *traced) markEvent(m *mark) *event {
	for i := range r.log.events {
		if e := &r.log.events[i]; e.call == "mmap" && e.tid == m.tid && e.hasResult && e.result == m.start {
			return e
		}
	}
	return nil
}

// walkMark goes along a stack and a list; it returns what is wrong.
func (r *traced) walkMark(st *eventlog.Stack, m *mark) string {
	if len(m.frames) == 0 {
		return "the account has no frames"
	}
	at := m.skip
	for i, want := range m.frames {
		if want.gap {
			continue
		}
		if i > 0 && m.frames[i-1].gap {
			// Frames that keep no list come in between.
			for at < len(st.Frames) && uint64(st.Frames[at].PC) != want.ra {
				at++
			}
		}
		if at >= len(st.Frames) {
			return "it ends before the list does"
		}
		f := st.Frames[at]
		if uint64(f.PC) != want.ra {
			return "frame " + f.PC.String() + " is not in the list"
		}
		if names := r.namesAt(f); !r.caller(m, i, names) {
			return "frame " + f.PC.String() + " has the names " + strings.Join(names, ", ")
		}
		at++
	}
	if !st.Complete {
		return "it ends by " + st.End
	}
	// The lists of Go and Rust come from their own unwinders, and go to the end.
	if m.frames[len(m.frames)-1].in != "?" && at == len(st.Frames) {
		return "nothing called the outermost function of the list"
	}
	return ""
}

// caller reports whether names may be those of the function that the i-th return address lies in: it is the
// one whose own return address comes next in the list.
func (r *traced) caller(m *mark, i int, names []string) bool {
	if i+1 >= len(m.frames) || m.frames[i+1].gap || m.frames[i+1].in == "?" || slices.Contains(names, "?") {
		return true
	}
	in := m.frames[i+1].in
	return slices.ContainsFunc(names, func(n string) bool { return isFunction(n, in) })
}

func (m *mark) String() string {
	var b strings.Builder
	for _, f := range m.frames {
		if f.gap {
			b.WriteString(" …")
			continue
		}
		b.WriteString(" " + eventlog.Hex(f.ra).String() + " " + f.in)
	}
	return b.String()
}

func (r *traced) describe(st *eventlog.Stack) string {
	var b strings.Builder
	for _, f := range st.Frames {
		b.WriteString(" " + f.PC.String() + " " + f.Via + " " + strings.Join(r.namesAt(f), "|"))
	}
	return b.String() + " " + st.End
}

func short(s string) string {
	const most = 3000
	if len(s) > most {
		return s[:most/2] + " ... " + s[len(s)-most/2:]
	}
	return s
}
