package locale

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is what the files of some packages say to people.
type source struct {
	keys     map[string]string // what is looked up, and where
	failures map[string]string // formats of errors, and where
	notes    map[string]string // formats of what a recording notes or warns of, and where
	literals []string          // every string of theirs
}

// readSource reads the files of folders, tests left out.
func readSource(t *testing.T, folders ...string) *source {
	t.Helper()
	s := &source{keys: map[string]string{}, failures: map[string]string{}, notes: map[string]string{}}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join("..", "..", folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files (%v)", folder, err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if _, ok := n.(*ast.ImportSpec); ok {
					return false
				}
				s.take(n, func() string { return set.Position(n.Pos()).String() })
				return true
			})
		}
	}
	return s
}

// take takes what a node says: the first argument of Say, Word, misused and their like, the words of Count, the head of a column.
func (s *source) take(n ast.Node, where func() string) {
	put := func(e ast.Expr, before string) {
		if text, ok := literal(e); ok && strings.TrimSpace(text) != "" {
			s.keys[before+text] = where()
		}
	}
	switch n := n.(type) {
	case *ast.BasicLit:
		if text, ok := literal(n); ok {
			s.literals = append(s.literals, text)
		}
	case *ast.KeyValueExpr:
		if k, ok := n.Key.(*ast.Ident); ok && k.Name == "Head" {
			put(n.Value, "")
		}
	case *ast.CallExpr:
		name := ""
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
			if x, ok := f.X.(*ast.Ident); ok && (x.Name == "errors" || x.Name == "fmt") {
				name = x.Name + "." + name
			}
		}
		switch {
		case len(n.Args) == 0:
		case slices.Contains([]string{"Say", "Word", "number", "tell"}, name):
			put(n.Args[0], "")
		case slices.Contains([]string{"failed", "errors.New", "fmt.Errorf"}, name):
			if text, ok := literal(n.Args[0]); ok {
				s.failures[text] = where()
			}
		case name == "warn" || name == "note" && len(n.Args) == 3:
			if text, ok := sentence(n.Args[len(n.Args)-1]); ok {
				s.notes[text] = where()
			}
		case name == "note" && len(n.Args) > 1:
			if text, ok := literal(n.Args[1]); ok {
				s.failures[text] = where()
			}
		case name == "misused" && len(n.Args) > 1:
			put(n.Args[1], "")
		case name == "Count" && len(n.Args) == 3:
			put(n.Args[1], "%d ")
		}
	}
}

// sentence is the format of a sentence that is filled in, or joined to whom it is about.
func sentence(e ast.Expr) (format string, ok bool) {
	switch e := e.(type) {
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" {
			return literal(e.Args[0])
		}
	case *ast.BinaryExpr:
		if text, ok := literal(e); ok {
			return text, true
		}
		text, ok := literal(e.Y)
		return "%s" + text, ok
	}
	return literal(e)
}

// literal is the text of a string literal, or of several that are joined.
func literal(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.Ident:
		if e.Obj != nil { // a constant of the same file
			if spec, ok := e.Obj.Decl.(*ast.ValueSpec); ok && e.Obj.Kind == ast.Con && len(spec.Values) == 1 {
				return literal(spec.Values[0])
			}
		}
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		a, ok := literal(e.X)
		b, too := literal(e.Y)
		return a + b, ok && too
	}
	return "", false
}
