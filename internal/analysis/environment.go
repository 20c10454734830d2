package analysis

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// A Setting is a recorded property of the environment that affects memory layout.
type Setting struct {
	Name          string  `json:"name"`                     // of the variable, limit or kernel setting, as the log's header has it
	Before        *string `json:"before"`                   // null where it is unset, or unknown
	After         *string `json:"after"`                    // the same
	UnknownBefore bool    `json:"unknown_before,omitempty"` // it was not recorded
	UnknownAfter  bool    `json:"unknown_after,omitempty"`  // the same
}

// equal reports whether o says the same.
func (v Setting) equal(o Setting) bool {
	same := func(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
	return v.Name == o.Name && same(v.Before, o.Before) && same(v.After, o.After)
}

// libcBuild is the name of the C library's build id in the log's header.
const libcBuild = "libc_build_id"

// recorded returns the recorded value of a variable, limit or setting for process p, or for the recording as a whole
// if p is nil. A nil value is unset. known reports whether it was recorded.
func (s *State) recorded(p *process, name string) (value *string, known bool) {
	switch {
	case p == nil:
		return s.recordedOf(nil, name)
	case name == libcBuild && s.names.roles.known():
		return s.libcOf(p)
	}
	return s.recordedOf(p.Environment, name)
}

// recordedOf is recorded for a program that started with the environment own, which may be nil.
func (s *State) recordedOf(own *eventlog.SpaceEnvironment, name string) (value *string, known bool) {
	variable := strings.ToLower(name) != name
	switch {
	case own != nil && variable:
		if _, listed := s.header.Environment[name]; !listed || own.Variables == nil {
			return nil, false
		}
		if v, set := own.Variables[name]; set {
			return &v, true
		}
		return nil, true
	case own != nil && (strings.HasPrefix(name, "rlimit_") || strings.HasPrefix(name, "cgroup_")):
		v, ok := own.Limits[name]
		return &v, ok
	case s.header == nil:
		return nil, false
	}
	value, known = s.header.Environment[name]
	// Only a variable can be unset; anything else that is null could not be read.
	return value, known && (value != nil || variable)
}

// libcOf returns the build id of the C library that p has loaded. It is known only if a stack passes through the
// library.
func (s *State) libcOf(p *process) (id *string, known bool) {
	for i := range p.mappings {
		if f := p.mappings[i].File; f.Inode != 0 {
			if role := s.names.role(f); role == callers.Glibc || role == callers.Musl {
				if id := s.names.builds[fileKey(f)]; id != "" {
					return &id, true
				}
			}
		}
	}
	return nil, false
}

// differing compares the environments of p and q, a process of each side, or of the two recordings if they are nil:
// variables, limits and kernel settings, by name, then processors, kernel and page size. What only one side has
// recorded goes into unrecorded: it counts as neither different nor equal.
func (c *comparer) differing(p, q *process) (list, unrecorded []Setting) {
	list, unrecorded = []Setting{}, []Setting{}
	a, b := c.before.header, c.after.header
	if a == nil || b == nil {
		return list, unrecorded
	}
	put := func(name string, x, y *string) {
		if (x == nil) != (y == nil) || x != nil && *x != *y {
			list = append(list, Setting{Name: name, Before: x, After: y})
		}
	}
	names := map[string]*string{}
	maps.Copy(names, a.Environment)
	maps.Copy(names, b.Environment)
	for _, n := range slices.Sorted(maps.Keys(names)) {
		x, inA := c.before.recorded(p, n)
		y, inB := c.after.recorded(q, n)
		switch {
		case inA && inB:
			put(n, x, y)
		case inA || inB:
			unrecorded = append(unrecorded, Setting{n, value(x, inA), value(y, inB), !inA, !inB})
		}
	}
	if a.Host.CPUs > 0 && b.Host.CPUs > 0 { // a core file does not tell
		put("cpus", ptr(strconv.Itoa(a.Host.CPUs)), ptr(strconv.Itoa(b.Host.CPUs)))
		put("kernel", &a.Host.Kernel, &b.Host.Kernel)
	}
	put("arch", &a.Host.Arch, &b.Host.Arch)
	put("page_size", ptr(strconv.Itoa(a.Host.PageSize)), ptr(strconv.Itoa(b.Host.PageSize)))
	put("mode", &a.Mode, &b.Mode)
	return list, unrecorded
}

// value returns v if known, else nil.
func value(v *string, known bool) *string {
	if known {
		return v
	}
	return nil
}

// onlyNamed returns the names of variables, whose values are not recorded, that only one of two processes started
// with; nil if those of either process are unknown.
func onlyNamed(p, q *process) (before, after []string) {
	if p.Environment == nil || q.Environment == nil || p.Environment.Others == nil || q.Environment.Others == nil {
		return nil, nil
	}
	missing := func(of, in []string) (list []string) {
		for _, n := range of {
			if _, there := slices.BinarySearch(in, n); !there {
				list = append(list, n)
			}
		}
		return list
	}
	return missing(p.Environment.Others, q.Environment.Others), missing(q.Environment.Others, p.Environment.Others)
}
