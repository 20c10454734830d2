package html

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
)

const caseLog = "../report/testdata/case.jsonl"

func casePage(t *testing.T) *Page {
	t.Helper()
	v, _, err := Read(fileLog(caseLog), `<"case">`, Embedded())
	if err != nil {
		t.Fatal(err)
	}
	return &Page{Type: "pictures", Logs: []*Value{v}}
}

// unpack is what a page makes of a packed value.
func unpack(t *testing.T, packed io.Reader) *Page {
	t.Helper()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	var p Page
	if err := json.NewDecoder(z).Decode(&p); err != nil {
		t.Fatal(err)
	}
	return &p
}

// TestWrite: the file holds the value, its policy names its own script and style, and nothing in it refers to another place.
func TestWrite(t *testing.T) {
	p := casePage(t)
	var b bytes.Buffer
	if err := Write(&b, p); err != nil {
		t.Fatal(err)
	}
	whole := b.String()
	_, rest, _ := strings.Cut(whole, `<script type="application/gzip" id="value">`)
	value, _, found := strings.Cut(rest, "</script>")
	if !found {
		t.Fatal("there is no value")
	}
	got := unpack(t, base64.NewDecoder(base64.StdEncoding, strings.NewReader(value)))
	if !reflect.DeepEqual(got.Logs[0].Ranges, p.Logs[0].Ranges) {
		t.Errorf("the ranges are %v, want %v", got.Logs[0].Ranges, p.Logs[0].Ranges)
	}
	for _, want := range []string{"default-src 'none'; script-src '" + digest(asset("page.js")), "style-src '" + digest(asset("page.css")), "connect-src 'none'", "<title>&lt;&#34;case&#34;&gt; - vmblame</title>"} {
		if !strings.Contains(whole, want) {
			t.Errorf("there is no %s", want)
		}
	}
	page, _, _ := strings.Cut(whole, `<script type="application/gzip"`)
	for _, bad := range []string{"http:", "https:", "url(", "@import", "<\"case\">"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	if n := strings.Count(whole, "<script"); n != 3 {
		t.Errorf("%d scripts, want value, licences and one that runs", n)
	}
	for _, library := range []string{"uplot", "d3-flame-graph", "d3-selection", "@tanstack/virtual-core"} {
		if !strings.Contains(asset("licences.txt"), "--- "+library+" ") {
			t.Errorf("the licence of %s is missing", library)
		}
	}
}

// TestPrintable: the page shows names of any characters as a terminal does.
func TestPrintable(t *testing.T) {
	testenv.Need(t, "node")
	names := []string{"a\u202etxt.exe", "\x1b[31m", "new\nline", "\u200dx", "\ufeff", "\U000e0001", "\ue000", "你好😀", "e\u0301", "\u00a0 \u3000"}
	for r := rune(0); r < 0x370; r++ {
		names = append(names, string(r))
	}
	for r := rune(0x2000); r < 0x2070; r++ {
		names = append(names, string(r))
	}
	given, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "--input-type=module", "-e", "import { shown } from './web/src/format.js'; console.log(JSON.stringify(shown(JSON.parse(process.argv[1]))))", string(given))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil || len(got) != len(names) {
		t.Fatalf("%d names, want %d (%v)", len(got), len(names), err)
	}
	for i, name := range names {
		if want := text.Printable(name); got[i] != want {
			t.Errorf("%q is shown as %q, on a terminal as %q", name, got[i], want)
		}
	}
	if got := title(&Page{Logs: []*Value{{Log: "a\u202eb"}}}); got != `a\u202eb - vmblame` {
		t.Errorf("the title is %q", got)
	}
}

// TestServer: who knows the secret is answered, and what is asked wrongly is refused.
func TestServer(t *testing.T) {
	s, err := NewServer(casePage(t), []Source{{fileLog(caseLog), "case"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, path, http.NoBody))
		return w
	}
	for path, want := range map[string]int{
		"/": 404, "/value": 404, "/AAAA/value": 404, s.Path() + "else": 404, s.Path(): 200, s.Path() + "value": 200,
		s.Path() + "value?log=1&from=1&to=2": 400, s.Path() + "value?log=0&from=x&to=2": 400, s.Path() + "value?log=0&from=1&to=3": 200,
		s.Path() + "history?log=0&pid=9817&address=0x7ffff7d00000": 200, s.Path() + "history?log=0&pid=1&address=0x7ffff7d00000": 400, s.Path() + "history?log=0&pid=9817&address=x": 400,
	} {
		if got := ask("GET", path); got.Code != want {
			t.Errorf("GET %s: %d, want %d: %s", path, got.Code, want, got.Body)
		}
	}
	if got := ask("POST", s.Path()); got.Code != 404 {
		t.Errorf("POST: %d, want 404", got.Code)
	}
	whole := unpack(t, ask("GET", s.Path()+"value").Body)
	part := unpack(t, ask("GET", s.Path()+"value?log=0&from=3&to=5").Body)
	if a, b := len(whole.Logs[0].Moments), len(part.Logs[0].Moments); !whole.Served || b != 5 || a <= b {
		t.Errorf("%d moments in all, %d from 3 to 5, want start, 3, 4, 5 and end", a, b)
	}
	want, err := analysis.ReadHistory(fileLog(caseLog), analysis.Moment{}, []int{9817}, 0x7ffff7d00000, analysis.HistoryOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got analysis.History
	if err := json.Unmarshal(ask("GET", s.Path()+"history?log=0&pid=9817&address=0x7ffff7d00000").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	hold(t, "the history", got, want)
	if got := ask("GET", s.Path()).Body.String(); !strings.Contains(got, "connect-src 'self'") || !strings.Contains(got, `id="value"></script>`) {
		t.Error("the served page does not ask for its value")
	}
}
