package eventlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// document is the export document, its objects as raw text.
type document struct {
	Header    json.RawMessage   `json:"header"`
	Spaces    []json.RawMessage `json:"spaces"`
	Threads   []json.RawMessage `json:"threads"`
	Modules   []json.RawMessage `json:"modules"`
	Stacks    []json.RawMessage `json:"stacks"`
	Origins   []json.RawMessage `json:"origins"`
	Events    []json.RawMessage `json:"events"`
	Drifts    []json.RawMessage `json:"drifts"`
	Snapshots []json.RawMessage `json:"snapshots"`
	Advice    []json.RawMessage `json:"advice"`
	Contents  []json.RawMessage `json:"contents"`
	Notes     []json.RawMessage `json:"notes"`
	End       json.RawMessage   `json:"end"`
}

// opens opens the log again and again.
func opens(path string) func() (*Reader, error) {
	return func() (*Reader, error) { return Open(path) }
}

func exported(t *testing.T, path string) (document, []byte, error) {
	t.Helper()
	var b bytes.Buffer
	err := ExportJSON(opens(path), &b)
	if err != nil && !errors.Is(err, ErrCut) {
		return document{}, b.Bytes(), err
	}
	var d document
	dec := json.NewDecoder(bytes.NewReader(b.Bytes()))
	dec.DisallowUnknownFields()
	if e := dec.Decode(&d); e != nil {
		t.Fatalf("%v:\n%s", e, b.Bytes())
	}
	return d, b.Bytes(), err
}

func TestExportHoldsEveryObject(t *testing.T) {
	d, text, err := exported(t, "testdata/good.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	byType := map[string][]string{}
	for line := range strings.Lines(string(good(t))) {
		var x struct{ Type string }
		if err := json.Unmarshal([]byte(line), &x); err != nil {
			t.Fatal(err)
		}
		byType[x.Type] = append(byType[x.Type], strings.TrimSuffix(line, "\n"))
	}
	for typ, list := range map[string][]json.RawMessage{
		"header": {d.Header}, "space": d.Spaces, "thread": d.Threads, "module": d.Modules, "event": d.Events,
		"advice": d.Advice, "drift": d.Drifts, "snapshot": d.Snapshots, "content": d.Contents, "note": d.Notes, "end": {d.End},
	} {
		var got []string
		for _, m := range list {
			got = append(got, string(m))
		}
		if !reflect.DeepEqual(got, byType[typ]) {
			t.Errorf("%s:\ngot  %q\nwant %q", typ, got, byType[typ])
		}
	}
	if len(d.Stacks) != len(byType["stack"]) {
		t.Errorf("%d stacks", len(d.Stacks))
	}
	if !bytes.HasSuffix(text, []byte("}\n")) || bytes.Count(text, []byte("\n")) != 1 {
		t.Error("the document is not one line")
	}
}

func TestExportNamesFrames(t *testing.T) {
	d, _, err := exported(t, "testdata/good.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var s struct{ Frames []json.RawMessage }
	if err := json.Unmarshal(d.Stacks[0], &s); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"pc":"0x7ffff7d1e747","module":2,"offset":"0x11e747","via":"pc","function":"mmap64","function_offset":39,"inlined":false,"symbol_source":"dynsym"}`,
		`{"pc":"0x555555555195","module":1,"offset":"0x1195","via":"cfi","call":true,"function":"pool::grow(unsigned long)","linkage_name":"_ZN4pool4growEm","function_offset":21,"file":"/src/pool.cc","line":41,"inlined":true,"symbol_source":"dwarf"}`,
		`{"pc":"0x555555555195","module":1,"offset":"0x1195","via":"cfi","call":true,"function":"serve","function_offset":69,"file":"/src/server.cc","line":12,"inlined":false,"symbol_source":"dwarf"}`,
		`{"pc":"0x5555555551e0","module":1,"offset":"0x11e0","via":"cfi","call":true}`,
	}
	if len(s.Frames) != len(want) {
		t.Fatalf("%d frames, want %d: %s", len(s.Frames), len(want), d.Stacks[0])
	}
	for i, f := range s.Frames {
		if string(f) != want[i] {
			t.Errorf("frame %d:\ngot  %s\nwant %s", i, f, want[i])
		}
		// The struct that describes the frame to Go programs says the same.
		var x ExportFrame
		if err := json.Unmarshal(f, &x); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(x); err != nil || string(again) != want[i] {
			t.Errorf("frame %d by encoding/json: %s, %v", i, again, err)
		}
	}
}

// TestExportCut exports a log cut in many places: a whole document, with null for the end.
func TestExportCut(t *testing.T) {
	log := good(t)
	path := filepath.Join(t.TempDir(), "cut.jsonl")
	for n := len(headerStart); n < len(log); n += 97 {
		if err := os.WriteFile(path, log[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		d, text, err := exported(t, path)
		if !errors.Is(err, ErrCut) || !strings.Contains(err.Error(), "the log is cut") {
			t.Fatalf("cut at %d: %v", n, err)
		}
		if !bytes.HasSuffix(text, []byte(`,"end":null}`+"\n")) {
			t.Fatalf("cut at %d: %s", n, text)
		}
		events := bytes.Count(log[:bytes.LastIndexByte(log[:n], '\n')+1], []byte(`{"type":"event"`))
		if len(d.Events) != events || d.Spaces == nil || d.Notes == nil {
			t.Fatalf("cut at %d: %d events, want %d", n, len(d.Events), events)
		}
	}
}

func TestExportErrors(t *testing.T) {
	for path, want := range map[string]string{
		"testdata/none.jsonl":           "no such file",
		"testdata/broken/text.jsonl":    "not a vmblame log",
		"testdata/broken/newer.jsonl":   "version 2 is newer",
		"testdata/broken/garbage.jsonl": "line 10: ",
		"/dev/null":                     "not a vmblame log",
		"testdata":                      "is a directory",
	} {
		_, _, err := exported(t, path)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := ExportJSON(opens("testdata/good.jsonl"), full); err == nil || !strings.Contains(err.Error(), "/dev/full") {
		t.Errorf("to a full device: %v", err)
	}
}

// TestExportMemory: once every batch is in use, five times the events take no more memory.
func TestExportMemory(t *testing.T) {
	allocated := func(n int) uint64 {
		path := filepath.Join(t.TempDir(), "log.jsonl")
		if err := os.WriteFile(path, repeated(n), 0o600); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var w countingWriter
		if err := ExportJSON(opens(path), &w); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if w.n == 0 {
			t.Fatal("nothing was written")
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	if few, many := allocated(20000), allocated(100000); many > few+few/4 {
		t.Errorf("100000 events allocate %d bytes, 20000 events %d", many, few)
	}
}

type countingWriter struct{ n int }

func (w *countingWriter) Write(p []byte) (int, error) {
	w.n += len(p)
	return len(p), nil
}
