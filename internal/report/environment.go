package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// A setting is something recorded about the surroundings of a recording that changes memory layout.
type setting struct {
	Name   string  `json:"name"`
	Before *string `json:"before"` // null: unset, or not recorded
	After  *string `json:"after"`
}

// settings lists what differs between the surroundings of two recordings: every variable, limit and
// kernel setting of the header by its name, processors, kernel and page size.
func settings(a, b *eventlog.Header) []setting {
	var list []setting
	if a == nil || b == nil {
		return nil
	}
	put := func(name string, x, y *string) {
		if (x == nil) != (y == nil) || x != nil && *x != *y {
			list = append(list, setting{name, x, y})
		}
	}
	names := maps.Clone(map[string]*string(a.Environment))
	if names == nil {
		names = map[string]*string{}
	}
	maps.Copy(names, b.Environment)
	for _, n := range slices.Sorted(maps.Keys(names)) {
		put(n, a.Environment[n], b.Environment[n])
	}
	put("cpus", ptr(strconv.Itoa(a.Host.CPUs)), ptr(strconv.Itoa(b.Host.CPUs)))
	put("kernel", &a.Host.Kernel, &b.Host.Kernel)
	put("arch", &a.Host.Arch, &b.Host.Arch)
	put("page_size", ptr(strconv.Itoa(a.Host.PageSize)), ptr(strconv.Itoa(b.Host.PageSize)))
	put("mode", &a.Mode, &b.Mode)
	return list
}

// text is "MALLOC_ARENA_MAX 1 | unset".
func (s setting) text() string {
	return fmt.Sprintf("%s %s | %s", s.Name, settingText(s.Before), settingText(s.After))
}

func settingText(v *string) string {
	switch {
	case v == nil:
		return "unset"
	case *v == "":
		return `""`
	}
	return *v
}
