package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/naming"
	"github.com/vmblame/vmblame/internal/testenv"
)

// elsewhere is a recording of a stripped program without any debug file, and where its debug file is.
type elsewhere struct {
	dir, program, log string
	debug             string // a directory with the debug file below .build-id
	id                string // build id
}

const mapper = `#include <sys/mman.h>
__attribute__((noinline)) static void *hidden(void) { void *p = mmap(0, 0x41000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); __asm__ volatile(""); return p; }
int main(void) { void *p = hidden(); return p == MAP_FAILED; }
`

// recordedElsewhere makes one; name is the log's.
func recordedElsewhere(t *testing.T, name string) *elsewhere {
	t.Helper()
	dir := t.TempDir()
	e := &elsewhere{dir: dir, program: filepath.Join(dir, "program"), log: filepath.Join(dir, name), debug: filepath.Join(dir, "debug")}
	source, whole := filepath.Join(dir, "program.c"), filepath.Join(dir, "whole")
	if err := os.WriteFile(source, []byte(mapper), 0o644); err != nil {
		t.Fatal(err)
	}
	tool(t, "gcc", "-O1", "-g", "-Wl,--build-id", "-o", whole, source)
	f, err := elffile.OpenPath(whole)
	if err != nil {
		t.Fatal(err)
	}
	e.id = f.BuildID()
	f.Close()
	at := e.debugFile()
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	tool(t, "objcopy", "--only-keep-debug", whole, at)
	tool(t, "objcopy", "--strip-all", whole, e.program)
	if err := os.Remove(whole); err != nil {
		t.Fatal(err)
	}
	vmblame(t, dir, "run", "-q", "--debug-dir=", "-o", e.log, "--", e.program).wants(t, 0)
	in, err := eventlog.Open(e.log) // which waits for the last names
	if err != nil {
		t.Fatal(err)
	}
	in.Close()
	return e
}

func (e *elsewhere) debugFile() string {
	return filepath.Join(e.debug, ".build-id", e.id[:2], e.id[2:]+".debug")
}

func tool(t *testing.T, name string, args ...string) {
	t.Helper()
	testenv.Need(t, name)
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// named lists the functions of a log's symbols with their sources.
func named(t *testing.T, log string) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, s := range pick[*eventlog.Symbol](records(t, log)) {
		for _, f := range s.Frames {
			names[f.Function] = s.Source
		}
	}
	return names
}

// TestSymbolize names a log from a debug file, into another log and in its place, plain and compressed.
func TestSymbolize(t *testing.T) {
	for _, name := range []string{"log.jsonl", "log.jsonl.zst"} {
		e := recordedElsewhere(t, name)
		if n := named(t, e.log); n["hidden"] != "" || n["main"] != "" {
			t.Fatalf("named already: %v", n)
		}
		before, err := os.ReadFile(e.log)
		if err != nil {
			t.Fatal(err)
		}
		r := vmblame(t, e.dir, "symbolize", e.log, "--debug-dir=")
		r.wants(t, 0)
		if !strings.Contains(r.stdout, "program (build id "+e.id+"): no symbols") || !strings.Contains(r.stdout, ".build-id/"+e.id[:2]+"/") {
			t.Errorf("without debug files:\n%s", r.stdout)
		}
		if after, err := os.ReadFile(e.log); err != nil || string(after) != string(before) {
			t.Error("a log that gains nothing is changed")
		}
		out := filepath.Join(e.dir, "out-"+name)
		r = vmblame(t, e.dir, "symbolize", e.log, "--debug-dir="+e.debug, "-o", out)
		r.wants(t, 0)
		if n := named(t, out); n["hidden"] != "dwarf" || n["main"] != "dwarf" {
			t.Errorf("names in the other log: %v\n%s", n, r.stdout)
		}
		if after, err := os.ReadFile(e.log); err != nil || string(after) != string(before) {
			t.Error("with -o the log itself is changed")
		}
		if err := os.Chmod(e.log, 0o640); err != nil {
			t.Fatal(err)
		}
		vmblame(t, e.dir, "symbolize", e.log, "--debug-dir="+e.debug).wants(t, 0)
		if n := named(t, e.log); n["hidden"] != "dwarf" {
			t.Errorf("names in the log: %v", n)
		}
		if st, err := os.Stat(e.log); err != nil || st.Mode().Perm() != 0o640 {
			t.Errorf("mode %v, %v", st.Mode(), err)
		}
		r = vmblame(t, e.dir, "symbolize", e.log, "--debug-dir="+e.debug)
		r.wants(t, 0)
		if !strings.Contains(r.stdout, " 0 of them new") {
			t.Errorf("the second time:\n%s", r.stdout)
		}
		if left, _ := filepath.Glob(filepath.Join(e.dir, "."+name+"*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

// TestSymbolizeOtherBuild: what stands at a module's path but is of another build names nothing; its debug
// file, found by build id, does.
func TestSymbolizeOtherBuild(t *testing.T) {
	e := recordedElsewhere(t, "log.jsonl")
	source := filepath.Join(e.dir, "program.c")
	other := strings.ReplaceAll(mapper, "hidden", "wrong")
	if err := os.WriteFile(source, []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	tool(t, "gcc", "-O1", "-g", "-Wl,--build-id", "-o", e.program, source)
	r := vmblame(t, e.dir, "symbolize", e.log)
	r.wants(t, 0)
	if n := named(t, e.log); n["wrong"] != "" || n["main"] != "" {
		t.Errorf("named by another build: %v", n)
	}
	if !strings.Contains(r.stdout, "another one") {
		t.Errorf("report:\n%s", r.stdout)
	}
	vmblame(t, e.dir, "symbolize", e.log, "--debug-dir", e.debug).wants(t, 0)
	if n := named(t, e.log); n["hidden"] != "dwarf" || n["wrong"] != "" {
		t.Errorf("by build id: %v", n)
	}
}

// TestSymbolizeFlat finds a debug file beside others in one directory, by its build id.
func TestSymbolizeFlat(t *testing.T) {
	e := recordedElsewhere(t, "log.jsonl")
	flat := filepath.Join(e.dir, "flat")
	if err := os.MkdirAll(flat, 0o755); err != nil {
		t.Fatal(err)
	}
	tool(t, "cp", e.debugFile(), filepath.Join(flat, "program.debug"))
	for _, path := range []string{e.debugFile(), e.program} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	vmblame(t, e.dir, "symbolize", e.log, "--debug-dir", flat).wants(t, 0)
	if n := named(t, e.log); n["hidden"] != "dwarf" {
		t.Errorf("names: %v", n)
	}
}

// TestSymbolizeCut: a log without an end may still be written to and is not replaced.
func TestSymbolizeCut(t *testing.T) {
	e := recordedElsewhere(t, "log.jsonl")
	text, err := os.ReadFile(e.log)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	cut := strings.Join(lines[:len(lines)-2], "")
	if err := os.WriteFile(e.log, []byte(cut), 0o644); err != nil {
		t.Fatal(err)
	}
	vmblame(t, e.dir, "symbolize", e.log, "--debug-dir", e.debug).wants(t, 1, "the log is cut", "-o")
	if after, err := os.ReadFile(e.log); err != nil || string(after) != cut {
		t.Error("the log is changed")
	}
	out := filepath.Join(e.dir, "out.jsonl")
	vmblame(t, e.dir, "symbolize", e.log, "--debug-dir", e.debug, "--debug-dir=", "-o", out).wants(t, 0, "the log is cut")
	if b, err := os.ReadFile(out); err != nil || !strings.HasPrefix(string(b), cut) || !strings.Contains(string(b), `"hidden"`) {
		t.Errorf("what was written of it: %v", err)
	}
}

// TestSymbolizeErrors: what is no log, and what cannot be written.
func TestSymbolizeErrors(t *testing.T) {
	e := recordedElsewhere(t, "log.jsonl")
	vmblame(t, e.dir, "symbolize", filepath.Join(e.dir, "none")).wants(t, 1, "no such file")
	vmblame(t, e.dir, "symbolize", e.program).wants(t, 1, "not a vmblame log")
	vmblame(t, e.dir, "symbolize", e.dir).wants(t, 1)
	vmblame(t, e.dir, "symbolize").wants(t, 2, "LOG is missing")
	vmblame(t, e.dir, "symbolize", e.log, "-o", "").wants(t, 2, "-o")
	vmblame(t, e.dir, "symbolize", e.log, "--debuginfod=nonsense").wants(t, 2, "not a URL")
	vmblame(t, e.dir, "symbolize", e.log, "--debug-dir", e.debug, "-o", e.log).wants(t, 1, "the log itself")
	vmblame(t, e.dir, "symbolize", e.log, "--debug-dir", e.debug, "-o", e.program).wants(t, 1, "not a vmblame log")
}

// TestDebuginfodFlag: a server is asked where the flag or the environment says so, and not otherwise; run
// and symbolize alike.
func TestDebuginfodFlag(t *testing.T) {
	e := recordedElsewhere(t, "log.jsonl")
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path != "/buildid/"+e.id+"/debuginfo" {
			http.NotFound(w, r)
			return
		}
		http.ServeFile(w, r, e.debugFile())
	}))
	defer server.Close()
	for _, c := range []struct {
		name, env string
		flags     []string
		asked     bool
	}{
		{"nothing", "", nil, false},
		{"the flag", "", []string{"--debuginfod=" + server.URL}, true},
		{"the environment", server.URL, nil, true},
		{"the flag by the environment", server.URL, []string{"--debuginfod"}, true},
		{"the flag against the environment", server.URL, []string{"--debuginfod=off"}, false},
	} {
		out := filepath.Join(e.dir, "out.jsonl")
		for _, argv := range [][]string{{"symbolize", e.log, "-o", out}, {"run", "-q", "-o", out}} {
			before := requests.Load()
			argv = append(append(argv, "--debug-dir="), c.flags...)
			if argv[0] == "run" {
				argv = append(argv, "--", e.program)
			}
			cmd := command(t, e.dir, argv...)
			cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+t.TempDir(), "DEBUGINFOD_URLS="+c.env)
			finish(t, cmd).wants(t, 0)
			if asked := requests.Load() > before; asked != c.asked {
				t.Errorf("%s, %s: asked %v", argv[0], c.name, asked)
			}
			if n := named(t, out); (n["hidden"] == "dwarf") != c.asked {
				t.Errorf("%s, %s: names %v", argv[0], c.name, n)
			}
		}
	}
}

// TestSymbolizeJSON: what symbolize found, for programs.
func TestSymbolizeJSON(t *testing.T) {
	e := recordedElsewhere(t, "log.jsonl")
	r := vmblame(t, e.dir, "symbolize", "--json", "--debug-dir", e.debug, "-o", "named.jsonl", e.log)
	r.wants(t, 0)
	var found naming.Answer
	if err := json.Unmarshal([]byte(r.stdout), &found); err != nil {
		t.Fatalf("%v\n%s", err, r.stdout)
	}
	named := 0
	for _, m := range found.Modules {
		named += m.Named
		if m.Path == e.program && (m.BuildID == nil || *m.BuildID != e.id || m.Sources["dwarf"] == 0 || m.Named != m.Addresses) {
			t.Errorf("%+v", m)
		}
	}
	if found.Log != e.log || found.New == 0 || named != found.Named || found.Addresses < found.Named || len(found.Modules) == 0 {
		t.Errorf("%+v", found)
	}
}
