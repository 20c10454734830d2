package e2e

import (
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/elftruth"
)

// truthOf reads files of one build: the stripped one, its debug file, the one it was stripped from.
func truthOf(t *testing.T, paths ...string) *elftruth.Truth {
	t.Helper()
	var all []elftruth.Function
	for _, path := range paths {
		all = append(append(all, elftruth.Symbols(t, path)...), elftruth.Debug(t, path)...)
	}
	return elftruth.New(all)
}

// carries reports whether one of the names, raw as they are, is that of a function with this demangled name
// and this linkage name. The debugging information has some functions (lambdas, local ones) under their bare
// names alone.
func carries(names []string, function, linkage string) bool {
	for _, n := range names {
		if n == function || linkage != "" && n == linkage {
			return true
		}
		bare, _, _ := strings.Cut(n, "<")
		if bare == "" || strings.HasPrefix(n, "_Z") || strings.HasPrefix(n, "_R") {
			continue
		}
		// a::b<c>::bare(d), bare is a whole word of it
		for rest := function; ; {
			i := strings.Index(rest, bare)
			if i < 0 {
				break
			}
			before, after := rest[:i], rest[i+len(bare):]
			if (before == "" || !isWord(before[len(before)-1])) && (after == "" || !isWord(after[0])) {
				return true
			}
			rest = rest[i+1:]
		}
	}
	return false
}

func isWord(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// buildOf lists the files of the build of a module that are here: its own, and its debug file.
func buildOf(path string) []string {
	f, err := elffile.OpenPath(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	paths := []string{path}
	if d, err := f.DebugFile(nil); err == nil {
		paths = append(paths, d.Name())
	}
	return paths
}
