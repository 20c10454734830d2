package analysis

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
)

// A Module is a file with code, as the log names it.
type Module struct {
	Path    string `json:"path"`               // as the log has it; "[anon]" for code made at run time that has no file
	BuildID string `json:"build_id,omitempty"` // absent where it has none
}

// Unnamed is a file for whose code an answer shows addresses instead of names.
type Unnamed struct {
	Module
	Frames int    `json:"frames"`         // how many addresses the answer has, among calls and in stacks that its text shows whole
	Hint   string `json:"hint,omitempty"` // what would give the names; absent where that is not known, or there are nearer ones
	Here   bool   `json:"here,omitempty"` // what the hint names is on this machine already
}

// nameless counts the calls of an answer that are shown as addresses, by module. Code without a file is not counted.
type nameless map[Module]int

// count counts those of calls, which are labels of steps, that are addresses.
func (n nameless) count(s *State, calls []string) {
	for _, c := range calls {
		for _, m := range s.unnamed[c] {
			n[m]++
		}
	}
}

// countIn counts those of calls that are addresses on any of these sides.
func (n nameless) countIn(calls []string, sides ...*State) {
	for _, c := range calls {
		var seen []Module
		for _, s := range sides {
			for _, m := range s.unnamed[c] {
				if !slices.Contains(seen, m) {
					seen = append(seen, m)
					n[m]++
				}
			}
		}
	}
}

// stack counts the frames of a stack that is shown whole.
func (n nameless) stack(s *State, stack int) {
	for st := range s.names.walk(stack) {
		m, ok := st.nameless()
		if s.wouldTell(&st) {
			m, ok = Module{Path: MadeCode}, true
		}
		if ok {
			n[m]++
		}
	}
}

// list returns the modules, the one that is shown most often first.
func (n nameless) list() []Unnamed {
	list := make([]Unnamed, 0, len(n))
	for m, frames := range n {
		list = append(list, Unnamed{Module: m, Frames: frames})
	}
	slices.SortFunc(list, func(a, b Unnamed) int {
		return cmp.Or(cmp.Compare(b.Frames, a.Frames), cmp.Compare(a.Path, b.Path), cmp.Compare(a.BuildID, b.BuildID))
	})
	return list
}

// MadeCode is the Path that stands for all JIT-compiled code that a recording with --jit-names would have named.
const MadeCode = callers.Anonymous

// tellers are the runtimes that --jit-names makes write the names of their code: the environment variable, what it
// contains if the program has asked for that already, and the function that is on the stack for interpreted code.
var tellers = [...]struct {
	is             func(callers.Module) bool
	variable, with string
	interpreter    string
}{
	{func(m callers.Module) bool { return m.Role == "jvm" || m.Base() == "libjvm.so" }, "JAVA_TOOL_OPTIONS", "DumpPerfMapAtExit", ""},
	{func(m callers.Module) bool { return m.Role == "v8" || m.Base() == "node" }, "NODE_OPTIONS", "perf-basic-prof", "Builtins_InterpreterEntryTrampoline"},
	{func(m callers.Module) bool { return m.Base() == "libcoreclr.so" }, "DOTNET_PerfMapEnabled", "", ""},
	{func(m callers.Module) bool { return perfPython.MatchString(m.Base()) }, "PYTHONPERFSUPPORT", "", "_PyEval_EvalFrameDefault"},
}

// perfPython matches the files of CPython 3.12 and later, which can write a perf map.
var perfPython = regexp.MustCompile(`^(lib)?python3\.(1[2-9]|[2-9][0-9])`)

// wouldTell reports whether --jit-names would give the step a name: it is JIT-compiled code without a name, or a
// runtime's interpreter, and the runtime was not asked for names.
func (s *State) wouldTell(st *step) bool {
	made := st.name == "" && st.module == callers.Anonymous
	for _, t := range tellers {
		if !made && (t.interpreter == "" || st.name != t.interpreter || !t.is(st.in)) {
			continue
		}
		if v := s.environment(t.variable); v != "" && strings.Contains(v, t.with) {
			continue
		}
		for _, m := range s.names.in {
			if t.is(m) {
				return true
			}
		}
	}
	return false
}

// noteUnnamed records which steps of a stack have no name, under the label that they get instead.
func (s *State) noteUnnamed(stack int) {
	for st := range s.names.walk(stack) {
		m, ok := st.nameless()
		calls := []string{st.caller().Label()}
		if s.wouldTell(&st) {
			m, ok, calls = Module{Path: MadeCode}, true, append(calls, callers.MadeCode, callers.MadeCodeEnd)
		}
		for _, call := range calls {
			if ok && !slices.Contains(s.unnamed[call], m) {
				s.unnamed[call] = append(s.unnamed[call], m)
			}
		}
	}
}

// nameless returns the file that should contain the name of a step. ok is false if the step has a name or lies in no
// file.
func (st *step) nameless() (m Module, ok bool) {
	return Module{st.module, st.buildID}, st.name == "" && st.omitted == 0 && st.module != "?" && !strings.HasPrefix(st.module, "[")
}
