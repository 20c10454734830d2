package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/export"
	"github.com/vmblame/vmblame/internal/testenv"
)

// exported fails the test unless text is one document of the export, its end null where the log was cut.
func exported(t *testing.T, text string, cut bool) map[string]json.RawMessage {
	t.Helper()
	var doc map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatalf("the export is no JSON: %v", err)
	}
	for _, key := range []string{"header", "spaces", "threads", "modules", "stacks", "events", "drifts", "snapshots", "notes", "end"} {
		if _, ok := doc[key]; !ok {
			t.Errorf("the export has no %q", key)
		}
	}
	if isNull := string(doc["end"]) == "null"; isNull != cut {
		t.Errorf("end is %s", doc["end"])
	}
	return doc
}

// reportedTotals are the totals of all processes, as `report --json` has them.
func reportedTotals(t *testing.T, log string) map[string]int64 {
	t.Helper()
	var doc struct {
		Processes []struct {
			Total struct{ Reserved, Committed, Resident, Mappings int64 }
		}
	}
	answerOf(t, &doc, "report", log)
	sum := map[string]int64{}
	for _, p := range doc.Processes {
		sum["addresses"] += p.Total.Reserved
		sum["usable"] += p.Total.Committed
		sum["resident"] += p.Total.Resident
		sum["mappings"] += p.Total.Mappings
	}
	return sum
}

// TestExportPprof: `go tool pprof` reads the profile, its tables and its pages add up to the report.
func TestExportPprof(t *testing.T) {
	testenv.Need(t, "go")
	log, pprof := mustAbs(t, sampleLog), pprofTool(t)
	for _, at := range []string{"end", "start", "peak"} {
		file := filepath.Join(t.TempDir(), "p.pb.gz")
		vmblame(t, "", "export", "--format", "pprof", "--at", at, "-o", file, log).wants(t, 0)
		for value, want := range reportedTotals(t, log+"@"+at) {
			args := []string{"-top", "-sample_index=" + value, "-nodefraction=0", "-edgefraction=0", "-nodecount=10000"}
			if value != "mappings" {
				args = append(args, "-unit=B")
			}
			out, err := exec.Command(pprof, append(args, file)...).Output()
			if err != nil {
				t.Fatal(err)
			}
			// The column flat of the lines behind the head.
			sum := int64(0)
			_, table, _ := strings.Cut(string(out), "cum%\n")
			for line := range strings.Lines(table) {
				n, err := strconv.ParseInt(strings.TrimSuffix(strings.Fields(line)[0], "B"), 10, 64)
				if err != nil {
					t.Fatalf("%q: %v", line, err)
				}
				sum += n
			}
			if sum != want || !strings.Contains(string(out), "Type: "+value) {
				t.Errorf("%s: pprof's table adds up to %d, the report to %d:\n%s", value, sum, want, out)
			}
		}
	}
}

// pprofTool is where the tool itself is: go, which is slower, would outlive a kill.
func pprofTool(t *testing.T) string {
	t.Helper()
	path, err := exec.Command("go", "tool", "-n", "pprof").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(path))
}

// TestExportPprofPages: the flame graph that `go tool pprof -http` serves has all bytes of the report.
func TestExportPprofPages(t *testing.T) {
	testenv.Need(t, "go")
	log := mustAbs(t, sampleLog)
	file := filepath.Join(t.TempDir(), "p.pb.gz")
	vmblame(t, "", "export", "--format", "pprof", "-o", file, log).wants(t, 0)
	pprof := pprofTool(t)
	// It wants the number of a port, which another may take meanwhile: then it ends, and is asked for another.
	var page *http.Response
	for page == nil {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := free.Addr().String()
		free.Close()
		cmd := exec.Command(pprof, "-http="+address, "-no_browser", file)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		over := make(chan struct{})
		go func() {
			_ = cmd.Wait()
			close(over)
		}()
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			<-over
		})
		until(t, "an answer of pprof", func() bool {
			page, err = http.Get("http://" + address + "/ui/flamegraph")
			select {
			case <-over:
				return true
			default:
				return err == nil
			}
		})
	}
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, found, _ := strings.Cut(string(text), `stackViewer({"Total"`)
	var graph struct {
		Total  int64
		Stacks []struct{ Value int64 }
	}
	if err := json.NewDecoder(strings.NewReader(`{"Total"` + found)).Decode(&graph); err != nil {
		t.Fatalf("%v: %.200s", err, found)
	}
	sum := int64(0)
	for _, s := range graph.Stacks {
		sum += s.Value
	}
	if want := reportedTotals(t, log)["addresses"]; graph.Total != want || sum != want {
		t.Errorf("the flame graph has %d bytes, its stacks %d, the report %d", graph.Total, sum, want)
	}
}

// TestExportTables: a folder has a file for each table; one table goes to standard output.
func TestExportTables(t *testing.T) {
	log, dir := mustAbs(t, sampleLog), filepath.Join(t.TempDir(), "tables")
	for _, f := range []string{"csv", "parquet", "csv"} { // a second time over the first
		vmblame(t, "", "export", "--format", f, "-o", dir, log).wants(t, 0)
		for _, table := range export.Tables() {
			st, err := os.Stat(filepath.Join(dir, table+"."+f))
			if err != nil || st.Size() == 0 || st.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", table, err, st)
			}
		}
	}
	r := vmblame(t, "", "export", "--format", "csv", "--table", "ranges", "--at", "peak", log)
	r.wants(t, 0)
	lines := strings.Count(r.stdout, "\n")
	if want := reportedTotals(t, log+"@peak")["mappings"]; int64(lines-1) != want {
		t.Errorf("%d lines, the report has %d mappings", lines, want)
	}
}

// TestExportProcess: --pid exports one process, of two logs one of each.
func TestExportProcess(t *testing.T) {
	log := mustAbs(t, "../../internal/report/testdata/children.jsonl")
	var doc struct {
		Processes []struct {
			PID   int
			Total struct{ Reserved int64 }
		}
	}
	answerOf(t, &doc, "report", log)
	if len(doc.Processes) < 2 {
		t.Fatal("one process alone")
	}
	total := func(text string) (sum int64) {
		for line := range strings.Lines(text) {
			n, _ := strconv.ParseInt(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 10, 64)
			sum += n
		}
		return sum
	}
	for _, p := range doc.Processes {
		r := vmblame(t, "", "export", "--format", "folded", "--pid", strconv.Itoa(p.PID), log)
		r.wants(t, 0)
		if got := total(r.stdout); got != p.Total.Reserved {
			t.Errorf("process %d: %d bytes, the report has %d", p.PID, got, p.Total.Reserved)
		}
	}
	a, b := doc.Processes[0], doc.Processes[1]
	r := vmblame(t, "", "export", "--format", "folded", "--pid", fmt.Sprintf("%d,%d", a.PID, b.PID), log, log)
	r.wants(t, 0)
	if got := total(r.stdout); got != b.Total.Reserved {
		t.Errorf("after: %d bytes, the report has %d", got, b.Total.Reserved)
	}
}

// TestExportFails: nothing is left of what could not be written, and what was there before stays.
func TestExportFails(t *testing.T) {
	log := mustAbs(t, sampleLog)
	dir := t.TempDir()
	old := filepath.Join(dir, "old")
	if err := os.WriteFile(old, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := vmblame(t, "", "export", "--format", "pprof", "-o", old, log+"@99h")
	r.wants(t, 1, "the log ends")
	if text, err := os.ReadFile(old); err != nil || string(text) != "old" {
		t.Errorf("%v, %q", err, text)
	}
	tables := filepath.Join(dir, "tables")
	vmblame(t, "", "export", "--format", "parquet", "-o", tables, log+"@99h").wants(t, 1, "the log ends")
	if list, _ := os.ReadDir(tables); len(list) > 0 {
		t.Errorf("%v is left", list)
	}
	vmblame(t, "", "export", "--format", "parquet", "-o", old, log).wants(t, 1)
	if list, _ := os.ReadDir(dir); len(list) != 2 {
		t.Errorf("%v is left", list)
	}
}

// TestExportFormats: the help of --format names every one.
func TestExportFormats(t *testing.T) {
	usage := exportCommand().Flag("format").Usage
	for _, f := range exportFormats() {
		if !strings.Contains(usage, f.name) {
			t.Errorf("%q does not name %s", usage, f.name)
		}
	}
}

// TestExportCut: of a cut log what stands before the cut is exported, in every format.
func TestExportCut(t *testing.T) {
	text, err := os.ReadFile(sampleLog)
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "cut.jsonl")
	if err := os.WriteFile(log, text[:len(text)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range exportFormats() {
		args := []string{"export", "--format", f.name, log}
		if f.tables {
			args = append(args, "--table", "ranges")
		}
		r := vmblame(t, "", args...)
		r.wants(t, 0, "the log is cut")
		if r.stdout == "" {
			t.Errorf("%s: nothing", f.name)
		}
	}
}

// TestExportHTML: the page is that of `vmblame html`.
func TestExportHTML(t *testing.T) {
	log := mustAbs(t, sampleLog)
	page, other := vmblame(t, "", "export", "--format", "html", log), vmblame(t, "", "html", "-o", "-", log)
	page.wants(t, 0)
	if other.wants(t, 0); page.stdout != other.stdout || !strings.HasPrefix(page.stdout, "<!") {
		t.Errorf("%d bytes, html writes %d", len(page.stdout), len(other.stdout))
	}
	vmblame(t, "", "export", "--format", "html", "--at", "peak", log).wants(t, 2, "without --at")
}
