// Package internal_test holds the shape of the house (docs/architecture.md) as data and fails where the
// source differs from it.
package internal_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const modulePath = "github.com/vmblame/vmblame"

// layers is the table of docs/architecture.md: a package imports only packages of lines with a smaller
// number, and of those not the ones that never names.
var layers = []struct {
	line     int
	packages []string
}{
	{0, []string{"internal/vm", "internal/text", "internal/callers", "internal/spool", "internal/testenv", "internal/elftruth", "internal/openfile", "internal/kernelfile", "internal/manual", "tracer/launcher"}},
	{1, []string{"internal/corefile", "internal/elffile", "internal/ledger", "internal/locale", "internal/procfs", "tracer"}},
	{2, []string{"internal/debuginfo", "internal/gopclntab", "internal/ehframe", "internal/distro", "internal/eventlog"}},
	{3, []string{"unwind", "symbolize", "internal/classify", "internal/order", "internal/mm", "internal/strace", "internal/segment"}},
	{4, []string{"internal/modules", "internal/naming", "internal/inspect", "internal/analysis"}},
	{5, []string{"internal/report", "internal/html", "internal/export", "internal/watch", "internal/record"}},
	{6, []string{"cmd/vmblame"}},
	{7, []string{"cmd/vmblame/e2e", "internal/simulation"}},
}

// never lists imports that the order of lines would allow. "only" means that nothing else of ours may be
// imported.
var never = map[string]struct {
	ours  []string // packages of ours
	other []string // modules, or packages of the standard library
	only  []string // where set: the packages of ours that may be imported
}{
	"internal/vm":     {other: []string{"golang.org/x/sys", "syscall"}},
	"tracer":          {only: []string{"internal/vm", "internal/kernelfile", "tracer/launcher"}},
	"tracer/launcher": {other: []string{"os", "fmt", "golang.org/x/sys"}},
	"internal/export": {ours: []string{"tracer", "unwind", "symbolize"}, other: []string{"github.com/google/pprof", "google.golang.org/protobuf"}},
	"internal/report": {ours: []string{"tracer", "unwind", "symbolize"}, other: []string{"github.com/go-delve/delve", "golang.org/x/sys"}},
	"unwind":          {ours: []string{"tracer"}},
	"symbolize":       {ours: []string{"tracer", "internal/ledger"}},
}

// modules lists for each third-party module the packages that import it, each with the greatest number of
// its files that do, tests not counted.
var modules = map[string]map[string]int{
	"github.com/go-delve/delve":             {"unwind": 1},
	"github.com/ianlancetaylor/demangle":    {"symbolize": 1},
	"github.com/klauspost/compress":         {"internal/eventlog": 3, "internal/elffile": 1},
	"github.com/ulikunitz/xz":               {"internal/elffile": 1},
	"github.com/tidwall/btree":              {"internal/ledger": 1, "internal/inspect": 1},
	"github.com/rivo/uniseg":                {"internal/text": 1, "internal/callers": 1},
	"github.com/spf13/cobra":                {"cmd/vmblame": 30, "internal/manual": 1},
	"github.com/spf13/pflag":                {"cmd/vmblame": 3},
	"golang.org/x/sys":                      {"internal/testenv": 1, "internal/openfile": 1, "internal/inspect": 1, "tracer": 24, "internal/modules": 1, "internal/record": 9, "cmd/vmblame": 4},
	"github.com/parquet-go/parquet-go":      {"internal/export": 1},
	"charm.land/bubbletea":                  {"internal/watch": 3},
	"github.com/santhosh-tekuri/jsonschema": {},
	"github.com/google/pprof":               {},
	"github.com/bufbuild/protocompile":      {},
	"google.golang.org/protobuf":            {},
	"golang.org/x/arch":                     {},
	"golang.org/x/net":                      {"tracer": 1},
	"golang.org/x/text":                     {"internal/locale": 2},
}

// tables are the files that may have more than 400 lines.
var tables = []string{}

const (
	maxLines     = 400
	maxTables    = 3
	maxMainLines = 60
)

// top lists what may stand at the top of the repository.
var top = strings.Fields(`cmd tracer unwind symbolize internal testdata docs .ci .github .gitignore .gitattributes
	.golangci.yml go.mod go.sum Makefile README.md README.zh-CN.md LICENSE CHANGELOG.md CONTRIBUTING.md`)

// badNames say nothing about what is inside.
var badNames = []string{"util", "utils", "common", "helper", "helpers", "type", "types", "misc"}

type source struct {
	pkg, file string // relative to the top of the repository
	test      bool
	lines     int
	imports   []string
}

// sources reads all Go files of the module. Folders called testdata are not part of it.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := fs.WalkDir(os.DirFS(".."), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if d.Name() == "testdata" || d.Name() == "dist" || len(d.Name()) > 1 && d.Name()[0] == '.' {
				return fs.SkipDir
			}
			return nil
		case path.Ext(p) != ".go":
			return nil
		}
		text, err := os.ReadFile(filepath.Join("..", p))
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{pkg: path.Dir(p), file: p, test: strings.HasSuffix(p, "_test.go"), lines: bytes.Count(text, []byte("\n"))}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, name)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

func line(pkg string) (int, bool) {
	for _, l := range layers {
		if slices.Contains(l.packages, pkg) {
			return l.line, true
		}
	}
	return 0, false
}

// within reports whether an import path is of module m, in any major version.
func within(imported, m string) bool { return imported == m || strings.HasPrefix(imported, m+"/") }

func TestLayers(t *testing.T) {
	for _, s := range sources(t) {
		if s.test && s.pkg == "internal" {
			continue
		}
		own, known := line(s.pkg)
		if !known {
			t.Errorf("%s: package %s is not in the table of layers", s.file, s.pkg)
			continue
		}
		rule := never[s.pkg]
		for _, i := range s.imports {
			for _, m := range rule.other {
				if within(i, m) && !s.test {
					t.Errorf("%s: %s never imports %s", s.file, s.pkg, i)
				}
			}
			ours, isOurs := strings.CutPrefix(i, modulePath+"/")
			if !isOurs || s.test && ours == s.pkg {
				continue
			}
			below, known := line(ours)
			switch {
			case !known:
				t.Errorf("%s: imports %s, which is not in the table of layers", s.file, i)
			case s.test:
				// A test may use what stands on any line; the compiler forbids circles.
			case below >= own:
				t.Errorf("%s: %s (line %d) imports %s (line %d)", s.file, s.pkg, own, ours, below)
			case slices.Contains(rule.ours, ours), rule.only != nil && !slices.Contains(rule.only, ours):
				t.Errorf("%s: %s never imports %s", s.file, s.pkg, ours)
			}
		}
	}
}

// TestLayersAreUsed: a table that only loosens rots. Every package of the tables exists, and every rule forbids
// what the order of lines would allow.
func TestLayersAreUsed(t *testing.T) {
	exists, imports := map[string]bool{}, map[string]map[string]bool{}
	for _, s := range sources(t) {
		exists[s.pkg] = true
		if imports[s.pkg] == nil {
			imports[s.pkg] = map[string]bool{}
		}
		for _, i := range s.imports {
			if ours, ok := strings.CutPrefix(i, modulePath+"/"); ok && !s.test {
				imports[s.pkg][ours] = true
			}
		}
	}
	for _, l := range layers {
		for _, p := range l.packages {
			if !exists[p] {
				t.Errorf("layers: there is no package %s", p)
			}
		}
	}
	for pkg, rule := range never {
		own, known := line(pkg)
		if !known {
			t.Errorf("never: %s is not in the table of layers", pkg)
		}
		for _, p := range rule.ours {
			if below, known := line(p); !known || below >= own {
				t.Errorf("never: %s into %s: the order of lines forbids it, or there is no such package", pkg, p)
			}
		}
		if rule.only != nil && own == 0 {
			t.Errorf("never: %s is on line 0 and imports nothing of ours anyway", pkg)
		}
		for _, p := range rule.only {
			if !imports[pkg][p] {
				t.Errorf("never: %s may import %s and does not", pkg, p)
			}
		}
		for _, p := range rule.other {
			if _, known := modules[p]; !known && strings.Contains(p, ".") {
				t.Errorf("never: %s into %s, which is no module of the list", pkg, p)
			}
		}
	}
}

func TestThirdParty(t *testing.T) {
	files := map[string]map[string][]string{} // module, package, files
	used := map[string]bool{}
	for _, s := range sources(t) {
		seen := map[string]bool{}
		for _, i := range s.imports {
			first, _, _ := strings.Cut(i, "/")
			if !strings.Contains(first, ".") || within(i, modulePath) {
				continue
			}
			m := ""
			for name := range modules {
				if within(i, name) {
					m = name
				}
			}
			used[m] = true
			switch {
			case m == "":
				t.Errorf("%s: imports %s, which is not in the list of modules", s.file, i)
			case s.test || seen[m]:
			default:
				seen[m] = true
				if files[m] == nil {
					files[m] = map[string][]string{}
				}
				files[m][s.pkg] = append(files[m][s.pkg], s.file)
			}
		}
	}
	for m, pkgs := range files {
		for pkg, list := range pkgs {
			if most := modules[m][pkg]; len(list) > most {
				t.Errorf("%s is imported by %d files of %s, %d may: %v", m, len(list), pkg, most, list)
			}
		}
	}
	for m, pkgs := range modules {
		if !used[m] {
			t.Errorf("modules: nothing imports %s", m)
		}
		for pkg, most := range pkgs {
			if n := len(files[m][pkg]); n < most {
				t.Errorf("modules: %d files of %s may import %s, and %d do", most, pkg, m, n)
			}
		}
	}
}

func TestFiles(t *testing.T) {
	if len(tables) > maxTables {
		t.Errorf("%d files may be over %d lines, at most %d should", len(tables), maxLines, maxTables)
	}
	long := map[string]bool{}
	for _, s := range sources(t) {
		long[s.file] = s.lines > maxLines
		if !s.test && s.lines > maxLines && !slices.Contains(tables, s.file) {
			t.Errorf("%s has %d lines, more than %d", s.file, s.lines, maxLines)
		}
		if s.file == "cmd/vmblame/main.go" && s.lines > maxMainLines {
			t.Errorf("%s has %d lines, more than %d", s.file, s.lines, maxMainLines)
		}
		base := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.file), ".go"), "_test")
		if slices.Contains(badNames, base) || slices.Contains(badNames, path.Base(s.pkg)) {
			t.Errorf("%s: the name says nothing about what is inside", s.file)
		}
	}
	for _, file := range tables {
		if !long[file] {
			t.Errorf("tables: %s has not more than %d lines", file, maxLines)
		}
	}
}

// TestTop reads what git would show of the top folder: what is ignored does not count.
func TestTop(t *testing.T) {
	list, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range top {
		if !slices.ContainsFunc(list, func(e os.DirEntry) bool { return e.Name() == name }) {
			t.Errorf("top: there is no %s", name)
		}
	}
	for _, e := range list {
		switch {
		case slices.Contains(top, e.Name()), e.Name() == ".git", e.Name() == "vmblame", e.Name() == "dist", e.Name() == "man":
		case strings.HasPrefix(e.Name(), "vmblame.") && strings.Contains(e.Name(), ".jsonl"):
		default:
			t.Errorf("%s stands at the top of the repository, where only %s do", e.Name(), strings.Join(top, ", "))
		}
	}
}
