package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/symbolize"
)

// mostHints is how many files a view's text has hints for: to ask the package manager takes a moment each.
const mostHints = 3

// withHints ends the text of a view with what would give the names that it lacks: for each file with addresses
// in it the package or the debug file, and the command that takes the names into the logs.
func withHints(b []byte, nameless []report.Module, logs ...string) []byte {
	shown, missing := 0, false
	for i, m := range nameless {
		if shown == mostHints {
			b = fmt.Appendf(b, "names of %d more files: the next command tells\n", len(nameless)-i)
			break
		}
		hint, have := nameSupplier(m)
		if hint == "" {
			continue
		}
		shown++
		missing = missing || !have
		b = fmt.Appendf(b, "names of %s: %s\n", text.Printable(filepath.Base(m.Path)), text.Printable(hint))
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

// nameSupplier says what would give the names of a module, "" where nothing would; have tells that it is here
// already.
func nameSupplier(m report.Module) (hint string, have bool) {
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
