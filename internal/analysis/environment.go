package analysis

import (
	"maps"
	"slices"
	"strconv"

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

// settings lists what differs between the surroundings of two recordings: every variable, limit and kernel setting of the
// header by its name, processors, kernel and page size. What only one of them recorded counts as neither different nor equal.
func settings(a, b *eventlog.Header) (list, unrecorded []Setting) {
	list, unrecorded = []Setting{}, []Setting{}
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
		x, inA := a.Environment[n]
		y, inB := b.Environment[n]
		if inA && inB {
			put(n, x, y)
		} else {
			unrecorded = append(unrecorded, Setting{n, x, y, !inA, !inB})
		}
	}
	put("cpus", ptr(strconv.Itoa(a.Host.CPUs)), ptr(strconv.Itoa(b.Host.CPUs)))
	put("kernel", &a.Host.Kernel, &b.Host.Kernel)
	put("arch", &a.Host.Arch, &b.Host.Arch)
	put("page_size", ptr(strconv.Itoa(a.Host.PageSize)), ptr(strconv.Itoa(b.Host.PageSize)))
	put("mode", &a.Mode, &b.Mode)
	return list, unrecorded
}
