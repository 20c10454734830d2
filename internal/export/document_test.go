package export

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

var update = flag.Bool("update", false, "write the tables of docs/sql.md anew")

const tablesFrom = "<!-- From here on written by go test ./internal/export -update: the comments of the structs. -->\n"

// TestDocument: docs/sql.md has every table and column, in the words of the structs.
func TestDocument(t *testing.T) {
	const path = "../../docs/sql.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(text), tablesFrom)
	if !ok {
		t.Fatal("docs/sql.md has no place for the tables")
	}
	want := head + tablesFrom + described(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Error("docs/sql.md is not what the structs say: go test ./internal/export -update")
	}
	for _, name := range Tables() {
		if !strings.Contains(head, "`"+name+".parquet`") {
			t.Errorf("docs/sql.md has no row for %s", name)
		}
	}
}

// described is the tables in Markdown.
func described(t *testing.T) string {
	f, err := parser.ParseFile(token.NewFileSet(), "tables.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	words := func(groups ...*ast.CommentGroup) (s string) {
		for _, g := range groups {
			s += " " + g.Text()
		}
		return strings.Join(strings.Fields(s), " ")
	}
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.TYPE {
			continue
		}
		s := g.Specs[0].(*ast.TypeSpec)
		comments[s.Name.Name] = words(g.Doc)
		for _, x := range s.Type.(*ast.StructType).Fields.List {
			comments[s.Name.Name+"."+x.Names[0].Name] = words(x.Doc, x.Comment)
		}
	}
	var b strings.Builder
	for _, x := range tables() {
		about := strings.TrimPrefix(comments[x.row.Name()], x.row.Name()+" is ")
		fmt.Fprintf(&b, "\n### %s\n\nA row is %s\n\n| column | type | |\n| --- | --- | --- |\n", x.name, about)
		for c := range x.row.Fields() {
			comment := comments[x.row.Name()+"."+c.Name]
			if comment == "" {
				t.Errorf("%s.%s has no comment", x.row.Name(), c.Name)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", column(c), sqlType(c), comment)
		}
	}
	return b.String()
}

// sqlType is the type of a column as SQL has it.
func sqlType(f reflect.StructField) string {
	of, null := f.Type, ""
	if of.Kind() == reflect.Pointer {
		of, null = of.Elem(), ", or null"
	}
	if strings.Contains(f.Tag.Get("parquet"), "timestamp") {
		return "timestamp"
	}
	return map[reflect.Kind]string{reflect.String: "text", reflect.Int64: "bigint", reflect.Uint64: "unsigned bigint", reflect.Bool: "boolean"}[of.Kind()] + null
}
