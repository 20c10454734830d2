package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/testenv"
)

// sqlDocument is where the statements stand that TestSQL executes.
const sqlDocument = "../../docs/sql.md"

// An sqlRow is a row as query.mjs writes it.
type sqlRow map[string]any

// number is a figure of a row: those of 64 bits are strings, and so are sums.
func (r sqlRow) number(t *testing.T, name string) int64 {
	t.Helper()
	switch v := r[name].(type) {
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	case float64:
		return int64(v)
	case nil:
		return 0
	}
	t.Fatalf("%s is %v", name, r[name])
	return 0
}

func (r sqlRow) text(name string) string {
	s, _ := r[name].(string)
	return s
}

// askDuckDB executes every statement of docs/sql.md in a folder, each with its example's words replaced, and returns the
// rows by the heading above the statement.
func askDuckDB(t *testing.T, dir string, replace ...string) map[string][]sqlRow {
	t.Helper()
	text, err := os.ReadFile(sqlDocument)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(string(text), replace[i]) {
			t.Errorf("docs/sql.md has no %s", replace[i])
		}
	}
	var statements, headings []string
	for _, section := range strings.Split(string(text), "\n### ")[1:] {
		heading, rest, _ := strings.Cut(section, "\n")
		_, block, ok := strings.Cut(rest, "```sql\n")
		if !ok {
			continue
		}
		block, _, _ = strings.Cut(block, "```")
		for statement := range strings.SplitSeq(strings.TrimSpace(block), ";\n") {
			statements, headings = append(statements, strings.NewReplacer(replace...).Replace(strings.TrimSuffix(statement, ";"))), append(headings, heading)
		}
	}
	if len(statements) < 15 {
		t.Fatalf("%d statements in docs/sql.md", len(statements))
	}
	script, err := filepath.Abs("../../testdata/sql/query.mjs")
	if err != nil {
		t.Fatal(err)
	}
	in, err := json.Marshal(statements)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "node", script)
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, bytes.NewReader(in), &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	var rows [][]sqlRow
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	by := map[string][]sqlRow{}
	for i, h := range headings {
		by[h] = append(by[h], rows[i]...)
	}
	return by
}

// TestSQL: DuckDB executes every statement of docs/sql.md on the tables of recordings, and answers what vmblame answers.
func TestSQL(t *testing.T) {
	testenv.Need(t, "node", "duckdb")
	progs := build(t, "case", "fixed_fails")
	dir := t.TempDir()
	logs := map[string]string{
		"case.jsonl": recordCase(t, progs, "case.jsonl", "MALLOC_ARENA_MAX=8").log,
		"one.jsonl":  recordCase(t, progs, "one.jsonl", "MALLOC_ARENA_MAX=1").log,
	}
	failing := command(t, dir, "run", "-q", "-o", "failing.jsonl", "--", filepath.Join(progs, "fixed_fails"))
	if r := finish(t, failing); r.status != 0 {
		t.Fatalf("fixed_fails: %d: %s", r.status, r.stderr)
	}
	logs["failing.jsonl"] = filepath.Join(dir, "failing.jsonl")
	if err := os.Mkdir(filepath.Join(dir, "tables"), 0o700); err != nil {
		t.Fatal(err)
	}
	reports := map[string]*analysis.Report{}
	for name, log := range logs {
		vmblame(t, filepath.Dir(log), "export", "--format", "parquet", "-o", filepath.Join(dir, "tables", strings.TrimSuffix(name, ".jsonl")), name).wants(t, 0)
		reports[name] = &analysis.Report{}
		answerOf(t, reports[name], "report", log)
	}
	// The arena, and what lies before it, in place of the example's range.
	arena := rangesOf(reports["case.jsonl"], "glibc-arena")
	if len(arena) == 0 {
		t.Fatal("no arena")
	}
	at := arena[0]
	answers := askDuckDB(t, dir, "0x7ffff7c00000", fmt.Sprintf("%#x", uint64(at.End)), "0x7ffff6300000", fmt.Sprintf("%#x", uint64(at.Start)-1<<20), "0x7ffff7cc1000", fmt.Sprintf("%#x", uint64(at.Start)))
	for heading, rows := range answers {
		if few := heading == "views" || heading == "failed: near the limit on the number of mappings"; len(rows) == 0 && !few {
			t.Errorf("%s: no row", heading)
		}
	}
	t.Run("report", func(t *testing.T) { sqlReports(t, answers, reports) })
	t.Run("blame", func(t *testing.T) {
		var blame analysis.Blame
		answerOf(t, &blame, "blame", logs["case.jsonl"], fmt.Sprintf("%x-%x", uint64(at.Start)-1<<20, uint64(at.End)))
		var want []string
		for _, row := range blame.Processes[0].Rows {
			for _, m := range row.Mappings {
				want = append(want, fmt.Sprintf("%x-%x %s %d %s %s", uint64(m.Start), uint64(m.End), m.Perms, m.Bytes, m.Label, m.Who.Text(0)))
			}
		}
		var got []string
		for _, r := range answers["blame: whose a range is"] {
			got = append(got, fmt.Sprintf("%s %s %d %s %s", r.text("range"), r.text("perms"), r.number(t, "bytes"), r.text("label"), r.text("who")))
		}
		if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
			t.Errorf("SQL:\n%s\nblame:\n%s", a, b)
		}
		frames := answers["blame: the whole stack of a mapping"]
		answerOf(t, &blame, "blame", logs["case.jsonl"], fmt.Sprintf("%x", uint64(at.Start)))
		stack := blame.Processes[0].Mapping.Frames
		if len(frames) < len(stack) || len(stack) == 0 {
			t.Fatalf("%d frames, blame has %d", len(frames), len(stack))
		}
		for i, f := range stack {
			if r := frames[i]; r.text("function") != f.Function || r.text("module") != f.Module || r.number(t, "line") != int64(f.Line) {
				t.Errorf("frame %d: %v, blame has %+v", i, r, f)
			}
		}
	})
	t.Run("history", func(t *testing.T) {
		var doc struct {
			Chapters []struct{ Steps []analysis.Step }
		}
		answerOf(t, &doc, "history", logs["case.jsonl"], fmt.Sprintf("%x", uint64(at.Start)))
		seen := map[string]bool{}
		for _, r := range answers["history: what happened at an address"] {
			seen[fmt.Sprintf("%.9f %s", r["seconds"], r.text("who"))] = true
		}
		steps := 0
		for _, c := range doc.Chapters {
			for _, st := range c.Steps {
				if st.What != "mapped" && st.What != "freed" && st.What != "protected" {
					continue // what happened beside the address
				}
				if steps++; !seen[fmt.Sprintf("%.9f %s", float64(st.T)/1e9, st.Who.Text(0))] {
					t.Errorf("no row for %+v in %v", st, seen)
				}
			}
		}
		if steps == 0 {
			t.Error("no steps")
		}
	})
	t.Run("diff", func(t *testing.T) {
		var d analysis.Diff
		answerOf(t, &d, "diff", logs["one.jsonl"], logs["case.jsonl"])
		sum := int64(0)
		for _, r := range answers["diff: two recordings, by kind"] {
			sum += r.number(t, "difference")
		}
		if sum != d.Processes[0].Difference {
			t.Errorf("a difference of %d bytes, diff has %d", sum, d.Processes[0].Difference)
		}
		names := map[string]string{}
		for _, r := range answers["diff: what differs of the environment"] {
			names[r.text("name")] = r.text("before") + " " + r.text("after")
		}
		for _, x := range d.Environment {
			if _, ok := names[x.Name]; !ok {
				t.Errorf("%s is missing", x.Name)
			}
		}
		if names["MALLOC_ARENA_MAX"] != "1 8" {
			t.Errorf("MALLOC_ARENA_MAX %q", names["MALLOC_ARENA_MAX"])
		}
	})
	t.Run("failed", func(t *testing.T) {
		got := map[string]int64{}
		for _, r := range answers["failed: which calls failed"] {
			got[r.text("file")] += r.number(t, "times")
		}
		for name, log := range logs {
			var f analysis.Failed
			answerOf(t, &f, "failed", log)
			if int64(f.Times) != got[name] {
				t.Errorf("%d calls of %s, vmblame failed says %d", got[name], name, f.Times)
			}
		}
		if len(got) == 0 {
			t.Error("nothing failed")
		}
	})
}

// rangesOf are the mappings of a kind in a report.
func rangesOf(r *analysis.Report, kind string) (list []analysis.Range) {
	var add func(rows []analysis.Row)
	add = func(rows []analysis.Row) {
		for _, row := range rows {
			for _, x := range row.Ranges {
				if kind == "" || string(x.Kind) == kind {
					list = append(list, x)
				}
			}
			add(row.Parts)
		}
	}
	for _, p := range r.Processes {
		add(p.Holders)
	}
	return list
}

// sqlReports compares what SQL sums up with what reports do.
func sqlReports(t *testing.T, answers map[string][]sqlRow, reports map[string]*analysis.Report) {
	type sums struct{ reserved, resident int64 }
	kinds, owners, files := map[string]sums{}, map[string]sums{}, map[string]sums{}
	add := func(by map[string]sums, key string, x *analysis.Range) {
		n := by[key]
		n.reserved += x.Bytes
		if x.Resident != nil {
			n.resident += *x.Resident
		}
		by[key] = n
	}
	largest := int64(0)
	for name, r := range reports {
		for _, x := range rangesOf(r, "") {
			add(kinds, name+" "+string(x.Kind), &x)
			add(owners, x.Who.Text(0), &x)
			add(files, x.Path, &x)
		}
		for _, p := range r.Processes {
			largest = max(largest, *p.Total.Resident)
		}
	}
	got := map[string]sums{}
	committed := map[string]int64{}
	for _, r := range answers["report: who holds the address space, by kind"] {
		got[r.text("file")+" "+r.text("kind")] = sums{r.number(t, "reserved"), r.number(t, "resident")}
		committed[r.text("file")] += r.number(t, "committed")
	}
	for key, want := range kinds {
		if got[key] != want {
			t.Errorf("%s: %+v, the report has %+v", key, got[key], want)
		}
	}
	for name, r := range reports {
		if committed[name] != r.Processes[0].Total.Committed || len(r.Processes) != 1 {
			t.Errorf("%s: %d bytes committed, the report has %d", name, committed[name], r.Processes[0].Total.Committed)
		}
	}
	for _, r := range answers["report: by owner, over all machines"] {
		if got := (sums{r.number(t, "reserved"), r.number(t, "resident")}); got != owners[r.text("who")] {
			t.Errorf("%s: %+v, the reports have %+v", r.text("who"), got, owners[r.text("who")])
		}
	}
	for _, r := range answers["report: by file"] {
		if got := (sums{r.number(t, "reserved"), r.number(t, "resident")}); got != files[r.text("path")] {
			t.Errorf("%s: %+v, the reports have %+v", r.text("path"), got, files[r.text("path")])
		}
	}
	if r := answers["report: the largest processes of the fleet"]; len(r) != len(reports) || r[0].number(t, "resident") != largest {
		t.Errorf("the largest of %d processes has %v, that of the reports %d", len(r), r[0]["resident"], largest)
	}
}
