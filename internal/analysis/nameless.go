package analysis

import (
	"cmp"
	"slices"
	"strings"
)

// A Module is a file with code, as the log names it.
type Module struct {
	Path    string `json:"path"`               // as the log has it
	BuildID string `json:"build_id,omitempty"` // absent where it has none
}

// Unnamed is a file for whose code an answer shows addresses instead of names.
type Unnamed struct {
	Module
	Frames int    `json:"frames"`         // how many addresses the answer has: among calls, and in stacks that its text shows whole
	Hint   string `json:"hint,omitempty"` // what would give the names; absent where that is not known, or there are nearer ones
	Here   bool   `json:"here,omitempty"` // what the hint names is on this machine already
}

// nameless counts the calls of an answer that are shown as addresses, by module. Code in no file is not
// counted.
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
		if m, ok := st.nameless(); ok {
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

// noteUnnamed records which steps of a stack have no name, under the label that they get instead.
func (s *State) noteUnnamed(stack int) {
	for st := range s.names.walk(stack) {
		m, ok := st.nameless()
		if call := st.caller().Label(); ok && !slices.Contains(s.unnamed[call], m) {
			s.unnamed[call] = append(s.unnamed[call], m)
		}
	}
}

// nameless returns the file in which the missing name of a step would be found; ok is false if it has a name, or
// lies in no file.
func (st *step) nameless() (m Module, ok bool) {
	return Module{st.module, st.buildID}, st.name == "" && st.omitted == 0 && st.module != "?" && !strings.HasPrefix(st.module, "[")
}
