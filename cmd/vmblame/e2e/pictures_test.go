package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/testenv"
)

// pictured is a page, and the reports of some of its moments, as internal/html/web/test/pictures.mjs reads them.
type pictured struct {
	Name    string           `json:"name"`
	URL     string           `json:"url"`
	Served  bool             `json:"served"`
	Dark    bool             `json:"dark"`
	Advice  bool             `json:"advice"` // it was recorded with --advice
	Reports []momentsReports `json:"reports"`
}

type momentsReports struct {
	Moment   string          `json:"moment"`
	Kind     json.RawMessage `json:"kind"`
	Function json.RawMessage `json:"function"`
	Stack    json.RawMessage `json:"stack"`
}

var (
	shots    = flag.String("shots", "", "a `FOLDER` for pictures of the pages")
	allPages = flag.Bool("pages", testenv.CI(), "TestPictures opens the pages of node, java and a million events, too")
)

// browsing is how long what reads a large log, or drives a browser, may take before it counts as hung.
const browsing = 30 * time.Minute

// TestPictures opens pages in a browser, of a small program or, with -pages, of large ones and of 1,000,000 events: what they show is
// what the reports have, they can be used by pointer, keyboard and screen reader, and nothing leaves them.
func TestPictures(t *testing.T) {
	t.Parallel()
	testenv.Optional(t, "chromium", "playwright-core", "node")
	need(t, []string{built.vmblame, "run"})
	dir := t.TempDir()
	recorded := func(name string, argv ...string) {
		if o := start(t, dir, filepath.Join(dir, name+".account"), append([]string{built.vmblame, "run", "-q", "-o", name + ".jsonl"}, argv...)...); o.status != "exit status 0" {
			t.Fatalf("%s: %v", name, o)
		}
	}
	recorded("case", "--", prog(t, "case"))
	recorded("advice", "--advice", "--", prog(t, "advice"))
	calls, err := os.ReadFile("../../../internal/report/testdata/calls.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "calls.jsonl"), calls, 0o600); err != nil {
		t.Fatal(err)
	}
	// The page of one log is held at two of its moments, at four with -pages, and that of two logs shows the case.
	pages := []pictured{picture(t, dir, "advice", 2)}
	second, served := "calls", []string{"many"}
	manyEvents(t, filepath.Join(dir, "many.jsonl"), 3000)
	if *allPages {
		second, served = "node", []string{"node", "million"}
		recorded("node", "--", "node", "-e", "const a = []; for (let i = 0; i < 3e6; i++) a.push({ i }); console.log(a.length)")
		pages = []pictured{picture(t, dir, "case", 4), picture(t, dir, "advice", 4), picture(t, dir, "node", 4), picture(t, dir, "calls", 2)}
		if testenv.Has("java") {
			recorded("java", "--", "java", "-version")
			pages = append(pages, picture(t, dir, "java", 4))
		}
		manyEvents(t, filepath.Join(dir, "million.jsonl"), 1_000_000)
		pages = append(pages, picture(t, dir, "million", 1))
		if st, err := os.Stat(filepath.Join(dir, "million.html")); err != nil || st.Size() >= 20e6 {
			t.Errorf("the page of a million events: %v bytes, want less than 20 MB (%v)", st.Size(), err)
		}
	}
	t.Logf("%s", printed(t, dir, built.vmblame, "html", "-o", "both.html", "case.jsonl", second+".jsonl"))
	pages = append(pages, pictured{Name: "both", URL: "file://" + filepath.Join(dir, "both.html"), Dark: true, Reports: []momentsReports{}})
	stops := []func(){}
	for _, log := range served {
		url, stop := serveLog(t, dir, log+".jsonl")
		pages = append(pages, pictured{Name: "served " + log, URL: url, Served: true, Reports: []momentsReports{}})
		stops = append(stops, stop)
	}
	browse(t, dir, pages)
	for _, stop := range stops {
		stop()
	}
}

// browse opens pages in a browser, as internal/html/web/test/pictures.mjs does.
func browse(t *testing.T, dir string, pages []pictured) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := json.Marshal(map[string]any{"chromium": browser, "shots": *shots, "pages": pages})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "plan.json"), plan, 0o600); err != nil {
		t.Fatal(err)
	}
	driver, err := filepath.Abs("../../../internal/html/web/test/pictures.mjs")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", printed(t, dir, "node", driver, "plan.json"))
}

// printed runs a program that must succeed, and returns what it writes to standard output.
func printed(t *testing.T, dir string, argv ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), browsing)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// What drives a browser ends it before it ends itself.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s%s", argv, err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.Bytes()
}

// picture makes the page of a log, and n reports of moments that the page shows.
func picture(t *testing.T, dir, name string, n int) pictured {
	t.Helper()
	log := name + ".jsonl"
	var value struct {
		Logs []struct {
			Moments []struct {
				Moment string `json:"moment"`
			} `json:"moments"`
		} `json:"logs"`
	}
	if err := json.Unmarshal(printed(t, dir, built.vmblame, "html", "--json", "-o", name+".html", log), &value); err != nil {
		t.Fatal(err)
	}
	p := pictured{Name: name, Dark: name == "calls", Advice: name == "advice", URL: "file://" + filepath.Join(dir, name+".html")}
	moments := value.Logs[0].Moments
	for i := range n {
		r := momentsReports{Moment: moments[(len(moments)-1)*(i+1)/n].Moment}
		for by, to := range map[string]*json.RawMessage{"kind": &r.Kind, "function": &r.Function, "stack": &r.Stack} {
			*to = printed(t, dir, built.vmblame, "report", "--json", "--by", by, log+"@"+r.Moment)
		}
		p.Reports = append(p.Reports, r)
	}
	return p
}

// serveLog shows a log on loopback, and returns where. Stop ends it as Ctrl-C does.
func serveLog(t *testing.T, dir, log string) (url string, stop func()) {
	t.Helper()
	cmd := exec.Command(built.vmblame, "serve", log)
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "http://127.0.0.1:") {
		t.Fatalf("serve says %q (%v)", line, err)
	}
	return strings.TrimSpace(line), func() {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
		if _, err := io.Copy(io.Discard, out); err != nil {
			t.Error(err)
		}
		ended = true
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve ends with %v", err)
		}
	}
}

// manyEvents writes a log with the given number of events. They belong to eight functions, whose mappings are made
// and unmapped, their number growing. A fifth of them comes at once.
func manyEvents(t *testing.T, name string, events int) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, `{"type":"header","format":"vmblame","version":1,"tool":"t","mode":"run","command":["server"],"started":"2026-01-01T00:00:00Z","host":{"kernel":"6.1","arch":"x86_64","page_size":4096,"cpus":2,"hostname":"h"},"environment":{}}`)
	fmt.Fprintln(w, `{"type":"space","space":1,"t":1,"after":0,"pid":10,"cause":"launch","parent":null,"exe":"/bin/server","argv":["server"],"mappings":[{"start":"0x400000","end":"0x401000","perms":"r-xp","offset":0,"dev":"fe:00","inode":9,"path":"/bin/server","origin":null,"origin_cause":"kernel","exec":null}]}`)
	fmt.Fprintln(w, `{"type":"thread","t":1,"tid":10,"pid":10,"space":1,"what":"start","name":"server"}`)
	fmt.Fprintln(w, `{"type":"module","module":1,"path":"/bin/server","build_id":null,"dev":"fe:00","inode":9}`)
	owners := []string{"buffer_new", "cache_grow", "index_load", "session_open", "log_\u202erotate", "pool_grow", "image_decode", "query_plan"}
	for i, name := range owners {
		at := 0x100 + 16*i
		fmt.Fprintf(w, `{"type":"stack","stack":%d,"frames":[{"pc":"%#x","module":1,"offset":"%#x","via":"pc"},{"pc":"0x400060","module":1,"offset":"0x60","via":"cfi","call":true}],"complete":true,"end":"undefined-ra"}`+"\n", i+1, 0x400000+at, at)
		fmt.Fprintf(w, `{"type":"symbol","module":1,"offset":"%#x","frames":[{"function":"%s","start":"%#x","inlined":false}],"source":"symtab"}`+"\n", at, name, at)
	}
	fmt.Fprintln(w, `{"type":"symbol","module":1,"offset":"0x5f","frames":[{"function":"main","start":"0x58","inlined":false}],"source":"symtab"}`)

	const (
		slot = 1 << 24
		base = 0x7f0000000000
	)
	type mapped struct {
		slot  int
		bytes uint64
		seq   int
	}
	var live []mapped
	free := make([]int, 4000)
	for i := range free {
		free[i] = i
	}
	chance := uint64(1)
	next := func(n int) int { // a linear congruential generator, the same numbers every time
		chance = chance*6364136223846793005 + 1442695040888963407
		return int(chance>>33) % n
	}
	at := 0
	for seq := 1; seq <= events; seq++ {
		if at += 60_000; seq > events/5*3 && seq < events/5*4 {
			at -= 59_000
		}
		const page = `{"perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"","origin":%d}`
		want := 200 + 1000*seq/events
		if seq > events/5*2 && seq < events/20*9 {
			want += 500
		}
		head := fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,`, seq, at)
		if len(live) < want || len(live) < want+50 && next(2) == 0 {
			k := next(len(free))
			m := mapped{free[k], uint64(4096 << next(9)), seq}
			free[k] = free[len(free)-1]
			free = free[:len(free)-1]
			live = append(live, m)
			start := base + uint64(m.slot)*slot
			fmt.Fprintf(w, `%s"call":"mmap","args":{"addr":"0x0","length":%d,"prot":3,"flags":34,"fd":-1,"offset":0},"result":"%#x","stack":%d,"changes":[{"start":"%#x","end":"%#x","was":null,"now":`+page+"}]}\n",
				head, m.bytes, start, next(len(owners))+1, start, start+m.bytes, seq)
			continue
		}
		k := next(len(live))
		m := live[k]
		live[k] = live[len(live)-1]
		live = live[:len(live)-1]
		free = append(free, m.slot)
		start := base + uint64(m.slot)*slot
		fmt.Fprintf(w, `%s"call":"munmap","args":{"addr":"%#x","length":%d},"result":0,"stack":null,"changes":[{"start":"%#x","end":"%#x","was":`+page+`,"now":null}]}`+"\n", head, start, m.bytes, start, start+m.bytes, m.seq)
	}
	fmt.Fprintf(w, `{"type":"thread","t":%d,"tid":10,"pid":10,"space":1,"what":"exit","name":"server"}`+"\n", at+5)
	fmt.Fprintf(w, `{"type":"end","t":%d,"cause":"exit","exit":{"code":0},"events":%d,"stacks":%d,"checks":0,"drifts":0,"lost":0}`+"\n", at+10, events, len(owners))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
