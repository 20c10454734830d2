package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/symbolize"
)

// mostHints is how many files a view's text has hints for: to ask the package manager takes a moment each.
const mostHints = 3

// supply says of the first files what would give their names: a package, or a debug file.
func supply(nameless []analysis.Unnamed) {
	hints := 0
	for i := range nameless {
		if m := &nameless[i]; hints < mostHints {
			if m.Hint, m.Here = nameSupplier(m.Module); m.Hint != "" {
				hints++
			}
		}
	}
}

// appendHints ends the text of an answer with the hints about the names that it lacks, and the command that
// takes the names into the logs.
func appendHints(b []byte, nameless []analysis.Unnamed, logs ...string) []byte {
	shown, missing := 0, false
	for i, m := range nameless {
		if shown == mostHints {
			b = fmt.Appendf(b, "names of %d more files: the next command tells\n", len(nameless)-i)
			break
		}
		if m.Hint == "" {
			continue
		}
		shown++
		missing = missing || !m.Here
		b = fmt.Appendf(b, "names of %s: %s\n", text.Printable(filepath.Base(m.Path)), text.Printable(m.Hint))
	}
	if shown == 0 {
		return b
	}
	word := "next: "
	if missing {
		word = "then: "
	}
	for _, log := range slices.Compact(logs) {
		b = fmt.Appendf(b, "%svmblame symbolize %s\n", word, quote(log))
		word = "      "
	}
	return b
}

// nameSupplier says what would give the names of a module, "" where nothing would; have reports whether it is here
// already.
func nameSupplier(m analysis.Module) (hint string, have bool) {
	here := false
	if f, err := elffile.OpenPath(m.Path); err == nil {
		defer f.Close()
		if here = m.BuildID != "" && f.BuildID() == m.BuildID; here {
			if d, err := f.DebugFile(nil); err == nil {
				return d.Name(), true
			}
			if _, whole := f.Section(".symtab"); whole {
				return "", false // no symbol covers these addresses
			}
		}
	}
	return symbolize.Supplier(m.Path, m.BuildID, here), false
}
