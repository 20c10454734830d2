package symbolize

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestDebuginfod expects a stripped program's names from a server, once, and then from the cache; and no
// names, soon, from servers that have no such file, another one, or no answer.
func TestDebuginfod(t *testing.T) {
	const id = "00112233445566778899"
	whole := build(t, "shapes.cc", optimised...)
	want := chains(t, open(t, whole), nowhere(t))
	dir := t.TempDir()
	program, debug, other := filepath.Join(dir, "prog"), filepath.Join(dir, "debug"), build(t, "with.c", "-c", "-g")
	run(t, dir, "objcopy", "--only-keep-debug", whole, debug)
	run(t, dir, "objcopy", "--strip-all", whole, program)

	var requests atomic.Int32
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		switch prefix, rest, _ := strings.Cut(r.URL.Path[1:], "/"); {
		case rest != "buildid/"+id+"/debuginfo":
			t.Errorf("asked for %s", r.URL)
		case prefix == "right":
			http.ServeFile(w, r, debug)
		case prefix == "wrong":
			http.ServeFile(w, r, other)
		case prefix == "cut":
			w.Header().Set("Content-Length", "100000")
			w.Write([]byte("\x7fELF"))
		case prefix == "hang":
			<-hang
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	defer close(hang)

	opts := nowhere(t)
	opts.DebuginfodCache = t.TempDir()
	opts.Debuginfod = DebuginfodURLs(" " + server.URL + "/missing/ ftp://x\n" + server.URL + "/right ")
	if len(opts.Debuginfod) != 2 {
		t.Fatalf("servers: %q", opts.Debuginfod)
	}
	differ(t, want, chains(t, open(t, program), opts))
	asked := requests.Load()
	differ(t, want, chains(t, open(t, program), opts))
	if asked != 2 || requests.Load() != asked {
		t.Errorf("%d requests for the first, %d in all", asked, requests.Load())
	}

	exported := symbolsOf(t, program)
	for _, kind := range []string{"missing", "wrong", "cut", "hang", ""} {
		o := nowhere(t)
		o.DebuginfodCache = t.TempDir()
		o.DebuginfodTimeout = 200 * time.Millisecond
		if kind != "" {
			o.Debuginfod = []string{server.URL + "/" + kind}
		}
		before := requests.Load()
		f := open(t, program)
		for a, s := range resolve(t, f, o, textAddrs(t, f, 16)) {
			if !slices.Contains(exported.At(a, false), s.Frames[0].Function) && !s.Approximate {
				t.Fatalf("%s: %#x: %+v", kind, a, s)
			}
		}
		if asked := requests.Load() - before; (asked != 0) != (kind != "") {
			t.Errorf("%q: %d requests", kind, asked)
		}
	}
}
