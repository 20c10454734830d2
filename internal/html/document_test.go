package html

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/pictures.md anew")

const (
	pageOfDocs = "../../docs/pictures.md"
	tablesFrom = "<!-- From here on written by go test ./internal/html -update: the comments of value.go. -->\n"
)

// TestDocument: docs/pictures.md has every field of what the pictures are drawn from, as value.go explains it.
func TestDocument(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "value.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, decl := range f.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		s := g.Specs[0].(*ast.TypeSpec)
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| field | |\n| --- | --- |\n", s.Name.Name, strings.Join(strings.Fields(g.Doc.Text()), " "))
		for _, field := range s.Type.(*ast.StructType).Fields.List {
			tag := reflect.StructTag(strings.Trim(field.Tag.Value, "`")).Get("json")
			name, _, _ := strings.Cut(tag, ",")
			comment := strings.TrimSpace(field.Comment.Text())
			if comment == "" {
				t.Errorf("%s.%s has no comment", s.Name.Name, name)
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", name, comment)
		}
	}
	text, err := os.ReadFile(pageOfDocs)
	if err != nil {
		t.Fatal(err)
	}
	head, have, found := strings.Cut(string(text), tablesFrom)
	if !found {
		t.Fatalf("%s has no line %q", pageOfDocs, tablesFrom)
	}
	if *update {
		if err := os.WriteFile(pageOfDocs, []byte(head+tablesFrom+b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have != b.String() {
		t.Errorf("%s is not what value.go says: go test ./internal/html -update", pageOfDocs)
	}
}
