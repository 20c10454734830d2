package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/distro"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/text"
)

// mostHints is how many files a view's text has hints for.
const mostHints = 3

// supply fills in the hints of the first mostHints files: what would give the names of their functions, such as a
// package or a debug file.
func supply(nameless []analysis.Unnamed) {
	var wanting []*analysis.Unnamed
	var files []distro.File
	hints := 0
	for i := range nameless {
		if hints == mostHints {
			break
		}
		m := &nameless[i]
		if m.Path == analysis.MadeCode {
			m.Hint = "vmblame run --jit-names has its runtime tell them"
			continue
		}
		debug, here, whole := known(m.Module)
		switch {
		case debug != "":
			m.Hint, m.Here = debug, true
		case whole:
			continue // no symbol covers these addresses
		default:
			wanting = append(wanting, m)
			files = append(files, distro.File{Path: m.Path, BuildID: m.BuildID, Here: here})
		}
		hints++
	}
	for i, hint := range distro.Hints(files) {
		wanting[i].Hint = hint
	}
}

// known returns what this machine has of a module: the path of its debug file, whether the file at its path is the one
// that ran (here), and whether that has a full symbol table (whole).
func known(m analysis.Module) (debug string, here, whole bool) {
	f, err := elffile.OpenPath(m.Path)
	if err != nil {
		return "", false, false
	}
	defer f.Close()
	if here = m.BuildID != "" && f.BuildID() == m.BuildID; !here {
		return "", false, false
	}
	if d, err := f.DebugFile(nil); err == nil {
		return d.Name(), true, false
	}
	_, whole = f.Section(".symtab")
	return "", true, whole
}

// appendHints appends to an answer's text the hints about missing names, and the command that writes the names into the
// logs.
func appendHints(b []byte, nameless []analysis.Unnamed, l text.Style, logs ...string) []byte {
	width := l.Lines()
	shown, missing, server := 0, false, ""
	made := slices.IndexFunc(nameless, func(m analysis.Unnamed) bool { return m.Path == analysis.MadeCode && m.Hint != "" })
	if made >= 0 {
		b = append(b, text.Fold(l.Say("names of interpreted code and of code made at run time: %s", l.Told(nameless[made].Hint)), width, "  ")+"\n"...)
		nameless = slices.Delete(slices.Clone(nameless), made, made+1)
	}
	line := func(s string) { b = append(b, text.Fold(s, width, "  ")+"\n"...) }
	for i, m := range nameless {
		if shown == mostHints {
			line(l.Say("names of %d more files: the next command tells", len(nameless)-i))
			break
		}
		if m.Hint == "" {
			continue
		}
		shown++
		hint := m.Hint
		if url, ok := strings.CutPrefix(hint, distro.FromServer); ok {
			server, hint = url, l.Word("the distribution's server has them")
		} else {
			missing = missing || !m.Here
		}
		line(l.Say("names of %s: %s", text.Printable(filepath.Base(m.Path)), l.Told(text.Printable(hint))))
	}
	if shown == 0 {
		return b
	}
	word := l.Word("names: ")
	if missing {
		word = l.Word("then: ")
	}
	flag := ""
	if server != "" {
		flag = "--debuginfod=" + server + " "
	}
	for _, log := range slices.Compact(logs) {
		b = append(b, text.Commands(word, width, "vmblame symbolize "+flag+quote(log))...)
		word = strings.Repeat(" ", text.Width(word))
	}
	return b
}
