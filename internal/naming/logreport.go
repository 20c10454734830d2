package naming

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/text"
)

// special reports whether the module is no file: its names were recorded, or never will be.
func (m *namedModule) special() bool { return strings.HasPrefix(m.Path, "[") }

// id is the build id, "" for none.
func (m *namedModule) id() string {
	if m.BuildID == nil {
		return ""
	}
	return *m.BuildID
}

func (m *namedModule) named() int {
	n := 0
	for _, s := range m.addrs {
		if s != nil {
			n++
		}
	}
	return n
}

// sources counts the named addresses by where their names are from.
func (m *namedModule) sources() map[string]int {
	sources := make(map[string]int)
	for _, s := range m.addrs {
		if s != nil {
			sources[s.Source]++
		}
	}
	return sources
}

// poor reports whether debug symbols are missing: there are none of them among the names.
func (m *namedModule) poor() bool {
	poor := false
	for _, s := range m.addrs {
		switch {
		case s == nil:
			poor = true
		case s.Source == "dwarf", s.Source == "gopclntab", strings.HasPrefix(s.Source, "symtab"):
			return false
		case s.Source != "plt":
			poor = true
		}
	}
	return poor
}

// buildPaths lists where a file of a module's build may be: by build id as debug file or as the file
// itself, and below a directory that holds the files of another machine.
func buildPaths(m *namedModule, dirs []string) []string {
	id, base := m.id(), filepath.Base(m.Path)
	var paths []string
	for _, dir := range dirs {
		if len(id) > 2 {
			at := filepath.Join(dir, ".build-id", id[:2], id[2:])
			paths = append(paths, at+".debug", at)
		}
		paths = append(paths, filepath.Join(dir, m.Path), filepath.Join(dir, m.Path+".debug"),
			filepath.Join(dir, base), filepath.Join(dir, base+".debug"))
	}
	return paths
}

// report is one line about the module, in the language of l: what was found, and what would give more. It is empty where the
// module has no frames.
func (m *namedModule) report(l text.Style) string {
	if len(m.addrs) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString(filepath.Base(m.Path))
	switch {
	case m.special():
	case m.id() == "":
		b.WriteString(l.Word(" (no build id)"))
	default:
		fmt.Fprintf(&b, " (build id %s)", m.id())
	}
	sources := m.sources()
	if len(sources) == 0 {
		b.WriteString(l.Word(": no symbols"))
	} else {
		b.WriteString(l.Say(": %d of %d named", m.named(), len(m.addrs)))
		var list []string
		for _, s := range slices.Sorted(maps.Keys(sources)) {
			list = append(list, fmt.Sprintf("%s %d", s, sources[s]))
		}
		b.WriteString(" (" + strings.Join(list, ", ") + ")")
	}
	switch {
	case m.from != "":
		b.WriteString(l.Say(", by %s", m.from))
	case m.wanted != "":
		b.WriteString(l.Say(", %s", l.Told(m.wanted)))
	}
	if m.hint != "" {
		b.WriteString(l.Word("; ") + l.Told(m.hint))
	}
	return b.String()
}

// Text reports on every module that has frames, and how many addresses have names, in the language of l.
func (n *Log) Text(w io.Writer, l text.Style) {
	for _, m := range n.modules {
		if line := m.report(l); line != "" {
			fmt.Fprintln(w, text.PrintableLines(line))
		}
	}
	total, named, fresh := n.count()
	fmt.Fprintln(w, l.Say("%d of %d addresses named, %d of them new or better", named, total, fresh))
}

// Answer is what was found, for programs.
type Answer struct {
	Log       string         `json:"log"`
	Addresses int            `json:"addresses"`
	Named     int            `json:"named"`
	New       int            `json:"new"` // or better than before
	Modules   []ModuleAnswer `json:"modules"`
}

// ModuleAnswer is what was found of one module that has frames.
type ModuleAnswer struct {
	Path      string         `json:"path"`
	BuildID   *string        `json:"build_id"`
	Addresses int            `json:"addresses"`
	Named     int            `json:"named"`
	Sources   map[string]int `json:"sources"`
	From      string         `json:"from,omitempty"` // the file that new names are from
	Text      string         `json:"text"`
}

// Answer returns the report for programs: what Text writes for people. log is the name of the log.
func (n *Log) Answer(log string) Answer {
	j := Answer{Log: log, Modules: []ModuleAnswer{}}
	j.Addresses, j.Named, j.New = n.count()
	for _, m := range n.modules {
		if len(m.addrs) > 0 {
			j.Modules = append(j.Modules, ModuleAnswer{m.Path, m.BuildID, len(m.addrs), m.named(), m.sources(), m.from, m.report(text.Style{})})
		}
	}
	return j
}
