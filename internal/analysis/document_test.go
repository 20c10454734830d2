package analysis

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

var update = flag.Bool("update", false, "write docs/answers.schema.json and the tables of docs/answers.md anew")

const (
	schemaFile  = "../../docs/answers.schema.json"
	tablesFile  = "../../docs/answers.md"
	chineseFile = "../../docs/answers.zh-CN.md"
	tablesFrom  = "<!-- From here on written by go test ./internal/analysis -update: the comments of the structs. -->\n"
)

// roots are the answers.
var roots = []any{Report{}, Blame{}, History{}, Diff{}, Failed{}, Growth{}, Summary{}, Processes{}}

// A document is what is written about the structs of the answers: of each, its comment and its fields.
type document struct {
	comments map[string]string // by "Type" and "Type.Field"
	names    []string          // of the structs, in the order in which they are met
	types    map[string]reflect.Type
}

func newDocument(t *testing.T) *document {
	t.Helper()
	d := &document{comments: map[string]string{}, types: map[string]reflect.Type{}}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../callers/chain.go") {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range f.Decls {
			g, ok := decl.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, spec := range g.Specs {
				s := spec.(*ast.TypeSpec)
				d.comments[s.Name.Name] = strings.Join(strings.Fields(g.Doc.Text()), " ")
				if fields, ok := s.Type.(*ast.StructType); ok {
					for _, f := range fields.Fields.List {
						for _, name := range f.Names {
							d.comments[s.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()+" "+f.Comment.Text()), " ")
						}
					}
				}
			}
		}
	}
	for _, r := range roots {
		d.meet(t, reflect.TypeOf(r), false)
	}
	return d
}

// meet takes a type and those of its fields, and fails where one says nothing of itself. What is only embedded
// has no table of its own: its fields stand in those of others.
func (d *document) meet(t *testing.T, of reflect.Type, embedded bool) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of == reflect.TypeFor[End]() || slices.Contains(d.names, of.Name()) {
		return
	}
	if !embedded {
		d.names = append(d.names, of.Name())
		d.types[of.Name()] = of
	}
	if d.comments[of.Name()] == "" {
		t.Errorf("%s has no comment", of.Name())
	}
	for f := range of.Fields() {
		if !f.IsExported() {
			continue
		}
		if f.Tag.Get("json") == "" && !f.Anonymous || !f.Anonymous && d.comments[of.Name()+"."+f.Name] == "" {
			t.Errorf("%s.%s has no comment, or no name in JSON", of.Name(), f.Name)
		}
		d.meet(t, f.Type, f.Anonymous)
	}
}

// A jsonField is a field as JSON has it; those of embedded structs stand among those of their own.
type jsonField struct {
	name, comment   string
	optional        bool
	of              reflect.Type
	nullable, array bool
}

func (d *document) fields(of reflect.Type) (list []jsonField) {
	for f := range of.Fields() {
		switch {
		case f.Anonymous:
			list = append(list, d.fields(f.Type)...)
		case f.IsExported():
			name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
			j := jsonField{name: name, comment: d.comments[of.Name()+"."+f.Name], optional: option == "omitempty", of: f.Type}
			if j.of.Kind() == reflect.Pointer {
				j.of, j.nullable = j.of.Elem(), !j.optional
			}
			if j.of.Kind() == reflect.Slice {
				j.of, j.array, j.nullable = j.of.Elem(), true, strings.Contains(j.comment, "null")
			}
			list = append(list, j)
		}
	}
	return list
}

// schemaOf is the schema of a type.
func schemaOf(of reflect.Type) map[string]any {
	switch {
	case of == reflect.TypeFor[eventlog.Hex]():
		return map[string]any{"$ref": "#/$defs/hex"}
	case of == reflect.TypeFor[End]():
		return map[string]any{"type": "object", "description": "The end line of docs/eventlog.md."}
	case of.Kind() == reflect.Struct:
		return map[string]any{"$ref": "#/$defs/" + of.Name()}
	case of.Kind() == reflect.String:
		return map[string]any{"type": "string"}
	case of.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	}
	return map[string]any{"type": "integer"}
}

func (j *jsonField) schema() map[string]any {
	s := schemaOf(j.of)
	if j.array {
		s = map[string]any{"type": "array", "items": s}
	}
	if j.nullable {
		s = map[string]any{"anyOf": []any{s, map[string]any{"type": "null"}}}
	}
	s["description"] = j.comment
	return s
}

// schema is the JSON Schema of all answers.
func (d *document) schema(t *testing.T) []byte {
	defs := map[string]any{"hex": map[string]any{"type": "string", "pattern": "^0x(0|[1-9a-f][0-9a-f]{0,15})$", "description": "An address."}}
	var answers []any
	for _, r := range roots {
		answers = append(answers, schemaOf(reflect.TypeOf(r)))
	}
	for _, name := range d.names {
		properties, required := map[string]any{}, []string{}
		for _, j := range d.fields(d.types[name]) {
			properties[j.name] = j.schema()
			if !j.optional {
				required = append(required, j.name)
			}
		}
		defs[name] = map[string]any{"type": "object", "description": d.comments[name], "properties": properties, "required": required, "additionalProperties": false}
	}
	b, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://github.com/vmblame/vmblame/raw/main/docs/answers.schema.json",
		"title":       "The answers of vmblame",
		"description": "What report, blame, history, diff and failed print with --json, and run and attach at their end. docs/answers.md explains it. Later versions may add fields.",
		"anyOf":       answers, "$defs": defs,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

// tables are the tables of docs/answers.md, or in another language: say translates a comment, or the name of a sort of value.
func (d *document) tables(say func(string) string) string {
	var b strings.Builder
	for _, name := range d.names {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| %s | | |\n| --- | --- | --- |\n", name, say(d.comments[name]), say("field"))
		for _, j := range d.fields(d.types[name]) {
			kind := map[reflect.Kind]string{reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "number", reflect.Int64: "number", reflect.Uint64: "number"}[j.of.Kind()]
			if kind != "" {
				kind = say(kind)
			}
			switch {
			case j.of == reflect.TypeFor[eventlog.Hex]():
				kind = say("address")
			case j.of == reflect.TypeFor[End]():
				kind = "[end](eventlog.md)"
			case j.of.Kind() == reflect.Struct:
				kind = "[" + j.of.Name() + "](#" + strings.ToLower(j.of.Name()) + ")"
			}
			if j.array {
				kind = say("list of ") + kind
			}
			if j.nullable {
				kind += say(" or null")
			}
			if j.optional {
				kind += say(", or absent")
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", j.name, kind, strings.ReplaceAll(say(j.comment), "|", `\|`))
		}
	}
	return b.String()
}

// headings are the first words of the sections of a page.
func headings(page string) string {
	var list []string
	for line := range strings.Lines(page) {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			word, _, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(h, "：", ":")), ":")
			if word[0] < 0x80 && !strings.HasPrefix(word, "While") && !strings.HasPrefix(word, "In ") {
				list = append(list, word)
			}
		}
	}
	return strings.Join(list, ", ")
}

// sayChinese translates the comments by testdata/answers.zh-CN.txt, and fails where it lacks one, or has one that no struct has.
func sayChinese(t *testing.T) func(string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/answers.zh-CN.txt")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]string{"field": "字段", "string": "字符串", "boolean": "布尔", "number": "数字", "address": "地址", "list of ": "列表：", " or null": " 或 null", ", or absent": "，或不出现"}
	unused := map[string]bool{}
	english := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if chinese, ok := strings.CutPrefix(line, "\t"); ok {
			words[english], unused[english] = chinese, true
		}
		english = line
	}
	t.Cleanup(func() {
		for english := range unused {
			t.Errorf("testdata/answers.zh-CN.txt: no struct says %q", english)
		}
	})
	return func(english string) string {
		delete(unused, english)
		if words[english] == "" {
			t.Errorf("testdata/answers.zh-CN.txt: no translation of %q", english)
		}
		return words[english]
	}
}

// TestDocument: docs/answers.md, the same in Chinese and docs/answers.schema.json say of every field of every answer what its struct
// says.
func TestDocument(t *testing.T) {
	d := newDocument(t)
	page, err := os.ReadFile(tablesFile)
	if err != nil {
		t.Fatal(err)
	}
	text, _, found := strings.Cut(string(page), tablesFrom)
	if !found {
		t.Fatalf("%s does not have the line %s", tablesFile, tablesFrom)
	}
	chinese, err := os.ReadFile(chineseFile)
	if err != nil {
		t.Fatal(err)
	}
	inChinese, _, found := strings.Cut(string(chinese), tablesFrom)
	if !found {
		t.Fatalf("%s does not have the line %s", chineseFile, tablesFrom)
	}
	if a, b := headings(text), headings(inChinese); a != b {
		t.Errorf("%s has other sections than %s: %s, %s", chineseFile, tablesFile, b, a)
	}
	tables := d.tables(func(s string) string { return s })
	for file, want := range map[string][]byte{tablesFile: []byte(text + tablesFrom + tables), chineseFile: []byte(inChinese + tablesFrom + d.tables(sayChinese(t))), schemaFile: d.schema(t)} {
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the structs say (go test -update writes it anew) (%v)", file, err)
		}
	}
}

// TestSchema: the answers from every committed log, at every kind of moment, are what the schema says.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	logs := testenv.Files(t, "../report/testdata/*.jsonl")
	seen := map[string]bool{}
	check := func(log string, v any) {
		t.Helper()
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Errorf("%s: %T: %v", log, v, err)
		}
		fieldNames(doc, seen)
	}
	for _, log := range logs {
		end := state(t, log, Moment{})
		for _, at := range []Moment{{}, {Kind: AtPeak}, {Kind: AtSeq, Seq: end.Seq / 2}, {Kind: AtTime, T: end.T / 2}} {
			s := state(t, log, at)
			for _, o := range []ReportOptions{{}, {By: ByStack, MinSize: 1 << 20}, {By: ByFile}, {By: ByThread}, {By: ByFunction}, {Sort: SortVMAs}, {Columns: []Column{PSS, Private, Swap}}} {
				check(log, s.Report(o))
			}
			check(log, Compare(s, end, [2]string{"a", "b"}))
			check(log, s.Failed())
			if at.Kind == AtEnd {
				g, err := ReadGrowth(opener(log), GrowthOptions{})
				if err != nil {
					t.Fatal(err)
				}
				check(log, g)
			}
			check(log, s.Blame(Question{Range: vm.Range{End: vm.AddressMax}, Frames: true}))
			for _, p := range s.processes {
				for i := range p.mappings {
					start := p.mappings[i].Start
					check(log, s.Blame(Question{Range: vm.Range{Start: start, End: start + 1}}))
					h, err := ReadHistory(opener(log), at, nil, start, HistoryOptions{Calls: true})
					if err != nil {
						t.Fatal(err)
					}
					check(log, h)
				}
			}
		}
		r := NewRecording(log)
		reader, err := eventlog.Open(log)
		if err != nil {
			t.Fatal(err)
		}
		for rec, err := reader.Next(); err == nil; rec, err = reader.Next() {
			r.Put(rec)
		}
		reader.Close()
		check(log, r.Summary())
	}
	check("made", history(t, HistoryOptions{Calls: true}, churn(9, 0, 4096)...))
	// What the committed logs have no case of: another environment, and a file that names could be had for.
	known := classify.Known().With(zoo)
	var sides []*State
	for _, log := range []Open{zooLog(1, `"1"`), zooLog(3, "null"), textLog(), zooLogOf(3, "null", `"x","-Xpens3"`)} {
		s, err := load(log, Moment{}, nil, nil, known)
		if err != nil {
			t.Fatal(err)
		}
		sides = append(sides, s)
	}
	check("made", Compare(sides[0], sides[1], [2]string{"a", "b"}))
	check("made", Compare(sides[0], sides[2], [2]string{"a", "b"}))
	check("made", Compare(sides[2], sides[0], [2]string{"a", "b"}))
	check("made", Compare(sides[0], sides[3], [2]string{"a", "b"}))
	hinted := sides[0].Report(ReportOptions{})
	hinted.Nameless = []Unnamed{{Module{"/bin/x", "ab"}, 1, "install x-dbgsym", true}}
	hinted.Source = "core"
	check("made", hinted)
	deep, err := Load(deepLog(), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	check("made", deep.Blame(Question{Range: vm.Range{End: vm.AddressMax}, Frames: true}))
	pressed, err := Load(pressedLog(`{"rlimit_as":"1000000"}`), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	check("made", pressed.Report(ReportOptions{}))
	tidy := NewRecording("made")
	tidy.fold.put(&eventlog.Space{Space: 1, PID: 10, Cause: "launch"}, 0)
	summary := tidy.Summary()
	summary.Peak = hinted
	check("made", summary)
	grown, err := ReadGrowth(growingLog(), GrowthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check("made", grown)
	advised := func() (*eventlog.Reader, error) { return eventlog.Open("../eventlog/testdata/real-advice.jsonl") }
	if grown, err = ReadGrowth(advised, GrowthOptions{}); err != nil {
		t.Fatal(err)
	}
	check("made", grown)
	adviser, err := Load(advised, Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	check("made", adviser.Report(ReportOptions{}))
	check("made", Compare(adviser, adviser, [2]string{"a", "b"}))
	if err := pressed.Choose(pressedLog(`{}`), Filter{Since: &Moment{Kind: AtTime}}); err != nil {
		t.Fatal(err)
	}
	check("made", pressed.Report(ReportOptions{}))
	began := func(environment string) *State {
		s, err := Load(beganLog(`{}`, environment), Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	check("made", Compare(began(`{"variables":{},"others":["A","B"],"limits":{}}`), began(`{"variables":{},"others":["B","C"],"limits":{}}`), [2]string{"a", "b"}))
	refused := failedState(t, `{"rlimit_as":"1000000"}`, mmapFailed(1, 6<<30, "ENOMEM"))
	check("made", refused.Failed())
	check("made", refused.Report(ReportOptions{}))
	one := int64(1)
	check("made", NewProcesses([]ProcessMemory{{PID: 1, Name: "a", Command: []string{"a"}, Reserved: 1, Committed: &one, Resident: &one, Shared: &one, PSS: &one, Swapped: &one, VMAs: &one,
		Largest: &LargestShare{classify.Heap, "heap", 1, &one}}, {PID: 2, Name: "b", Command: []string{}, Reserved: 1}}, SortResident, &one))
	d := newDocument(t)
	for _, name := range d.names {
		for _, j := range d.fields(d.types[name]) {
			if !seen[j.name] {
				t.Errorf("%s.%s is in no answer", name, j.name)
			}
		}
	}
	if schema.Validate(map[string]any{"moment": "end"}) == nil {
		t.Error("the schema takes everything")
	}
}

// fieldNames collects the names of all fields of a document.
func fieldNames(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, x := range v {
			into[name] = true
			fieldNames(x, into)
		}
	case []any:
		for _, x := range v {
			fieldNames(x, into)
		}
	}
}

// TestNoLayout: of how text looks an answer knows no more than how a size, a time and a number of things are written.
func TestNoLayout(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "text" && x.Obj == nil && s.Sel.Name != "Size" && s.Sel.Name != "Count" && s.Sel.Name != "When" {
					t.Errorf("%s: text.%s", file, s.Sel.Name)
				}
			}
			return true
		})
	}
}
