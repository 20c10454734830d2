package report

import (
	"bytes"
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"
)

// A Module is a file with code, as the log names it.
type Module struct {
	Path    string
	BuildID string // "" where it has none
}

// Nameless returns the files of whose code the text of a view shows an address where a name should stand,
// the one most often shown first. What has no file is not among them.
func (s *Scene) Nameless(text []byte) []Module {
	shown := map[Module]int{}
	for _, m := range s.names.modules {
		if strings.HasPrefix(m.Path, "[") {
			continue
		}
		if n := bytes.Count(text, []byte(" "+addressIn(m.Path))); n > 0 {
			shown[m] = n
		}
	}
	return slices.SortedFunc(maps.Keys(shown), func(a, b Module) int {
		return cmp.Or(cmp.Compare(shown[b], shown[a]), cmp.Compare(a.Path, b.Path), cmp.Compare(a.BuildID, b.BuildID))
	})
}

// Nameless is that of both sides.
func (d *Diff) Nameless(text []byte) []Module {
	all := d.before.Nameless(text)
	for _, m := range d.after.Nameless(text) {
		if !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all
}

// addressIn is what an address in a file's code is written with, before the digits.
func addressIn(file string) string { return path.Base(file) + "+0x" }
