package naming

import (
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// own returns this test's executable and the address in it of a function of this package.
func own(t *testing.T) (*elffile.File, eventlog.Hex) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elffile.OpenPath(exe)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	pc, _, _, _ := runtime.Caller(0)
	return f, eventlog.Hex(pc) // the executable is not relocated
}

func stackOf(frames ...eventlog.Frame) *eventlog.Stack {
	return &eventlog.Stack{Stack: 1, Frames: frames}
}

// last names what is left, as long as it takes.
func last(n *Names) []eventlog.Record {
	background := make(chan struct{})
	close(background)
	named, _ := n.Last(background, 0)
	return named
}

// What is prepared ahead is told once, by module and address like the rest, and is right although its file changes later.
func TestNamesPrepared(t *testing.T) {
	f, pc := own(t)
	n := New(Options{DebugDirs: []string{os.DevNull}})
	intact := true
	for id := 1; id <= 2; id++ {
		n.Module(id, &Source{File: f, Intact: func() bool { return intact }})
	}
	n.Add(stackOf(eventlog.Frame{Module: 2, Offset: pc}))
	n.Prepare()
	n.Add(stackOf(eventlog.Frame{Module: 1, Offset: pc + 1}, eventlog.Frame{Module: 1, Offset: pc}))
	n.Prepare()
	intact = false
	var got []eventlog.Place
	for _, r := range n.Resolve() {
		got = append(got, r.(*eventlog.Symbol).Place())
	}
	if want := []eventlog.Place{{Module: 1, Offset: pc}, {Module: 1, Offset: pc + 1}, {Module: 2, Offset: pc}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if again := n.Resolve(); len(again) != 0 {
		t.Errorf("told twice: %v", again)
	}
}

// Each place is named once, and of a module nobody told of nothing is.
func TestNamesOnce(t *testing.T) {
	f, pc := own(t)
	n := New(Options{DebugDirs: []string{os.DevNull}})
	intact := true
	n.Module(1, &Source{File: f, Intact: func() bool { return intact }})
	frame := eventlog.Frame{Module: 1, Offset: pc, Call: true}
	n.Add(stackOf(frame, frame, eventlog.Frame{Module: 2, Offset: pc}))
	recs := n.Resolve()
	if len(recs) != 1 {
		t.Fatalf("%d records", len(recs))
	}
	sym := recs[0].(*eventlog.Symbol)
	if sym.Place() != frame.Place() || !slices.ContainsFunc(sym.Frames, func(f eventlog.SymbolFrame) bool { return strings.HasSuffix(f.Function, "naming.own") }) {
		t.Errorf("%+v", sym)
	}
	if n.Add(stackOf(frame)); len(last(n)) != 0 {
		t.Error("a place is named twice")
	}
	intact = false
	frame.Offset++
	if n.Add(stackOf(frame)); len(n.Resolve()) != 0 {
		t.Error("a file that has changed gives names")
	}
}

// A perf map gives names when its process has ended, or at once where records wait for them.
func TestPerfMap(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "perf")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString("1000 100 first\n2000 100 second\n"); err != nil {
		t.Fatal(err)
	}
	for _, early := range []bool{false, true} {
		list, err := os.Open(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		n := New(Options{Early: early})
		p := &PerfMap{file: list}
		n.perf[7] = p
		if n.PerfMap(7, 0, 0) != p || n.EndPerfMap(8) != nil {
			t.Error("it is another one's")
		}
		n.Module(1, &Source{Perf: p})
		n.Add(stackOf(eventlog.Frame{Module: 1, Offset: 0x1010}, eventlog.Frame{Module: 1, Offset: 0x3000}))
		if got := len(n.Resolve()); (got == 1) != early {
			t.Errorf("early %v: %d names before the end", early, got)
		}
		n.EndPerfMap(7)()
		n.Add(stackOf(eventlog.Frame{Module: 1, Offset: 0x2010}))
		want := 2
		if early {
			want = 1
		}
		if got := len(last(n)); got != want {
			t.Errorf("early %v: %d names at the end, want %d", early, got, want)
		}
		if p.file != nil {
			t.Error("the list stays open")
		}
	}
}

func TestDebugFiles(t *testing.T) {
	for _, c := range []struct {
		dirs, want []string
	}{
		{nil, []string{elffile.DefaultDebugDir}},
		{[]string{"/a", "/b"}, []string{"/a", "/b", elffile.DefaultDebugDir}},
		{[]string{"", "/a"}, []string{"/a"}},
		{[]string{""}, []string{os.DevNull}},
	} {
		if got := (&DebugFiles{Dirs: c.dirs}).Directories(); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %q, want %q", c.dirs, got, c.want)
		}
	}
	t.Setenv("DEBUGINFOD_URLS", "http://one http://two")
	for server, want := range map[string]int{"": 2, "off": 0, "http://three": 1} {
		d := &DebugFiles{Server: server}
		if got := d.Servers(); len(got) != want || d.Check() != nil {
			t.Errorf("%q: %q, %v", server, got, d.Check())
		}
	}
	if err := (&DebugFiles{Server: "three"}).Check(); err == nil || err.Error() != "three: not a URL" {
		t.Error(err)
	}
}

func TestTellsMore(t *testing.T) {
	named := func(source string, line int) *eventlog.Symbol {
		return &eventlog.Symbol{Source: source, Frames: []eventlog.SymbolFrame{{Function: "f", Line: line}}}
	}
	ascending := []*eventlog.Symbol{{}, named("?", 0), named("dynsym", 0), named("symtab", 0), named("gopclntab", 1), named("dwarf", 0), named("dwarf", 3)}
	for i, a := range ascending {
		for j, b := range ascending {
			if tellsMore(a, b) != (i > j) {
				t.Errorf("%d tells more than %d: %v", i, j, i <= j)
			}
		}
	}
}

// TestAddWhileNaming: stacks come while names are looked for. What they add of files is for the next time, and what they add
// of a module that has gone meanwhile is for nobody.
func TestAddWhileNaming(t *testing.T) {
	n := New(Options{})
	stack := func(module int) *eventlog.Stack {
		return &eventlog.Stack{Frames: []eventlog.Frame{{Module: module, Offset: 0x10}}}
	}
	asked := 0
	n.Module(1, &Source{Intact: func() bool { n.Add(stack(2)); return false }})
	n.Module(2, &Source{Intact: func() bool { asked++; return false }})
	n.Add(stack(1))
	if got := n.Resolve(); len(got) != 0 || asked != 0 {
		t.Errorf("%v, %d", got, asked)
	}
	if n.Resolve(); asked != 1 {
		t.Errorf("what was added is named %d times", asked)
	}
	n.Module(3, &Source{})
	n.Add(stack(3))
	delete(n.known, 3)
	if n.Resolve(); len(n.todo) != 0 {
		t.Errorf("left %v", n.todo)
	}
}
