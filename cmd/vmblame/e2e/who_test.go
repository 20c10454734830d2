package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// owners are the chains of calls that a report gives to what it holds, each with the first function of the program's own.
func owners(t *testing.T, argv ...string) (chains map[string]string) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log.jsonl")
	output(t, append([]string{built.vmblame, "run", "-q", "-o", log, "--"}, argv...)...)
	output(t, built.vmblame, "check", log)
	var report struct {
		Processes []struct{ Holders []ownedRow }
	}
	if err := json.Unmarshal([]byte(output(t, built.vmblame, "report", "--json", log)), &report); err != nil {
		t.Fatal(err)
	}
	chains = map[string]string{}
	var add func(rows []ownedRow)
	add = func(rows []ownedRow) {
		for _, r := range rows {
			if len(r.Who) > 0 {
				chains[strings.Join(r.Who, " < ")] = r.Who[max(r.Keep, 1)-1]
			}
			add(r.Parts)
		}
	}
	for _, p := range report.Processes {
		add(p.Holders)
	}
	return chains
}

type ownedRow struct {
	Who   []string
	Keep  int `json:"who_keep"`
	Parts []ownedRow
}

// TestWho: who made something is told whatever lies between it and the system call.
func TestWho(t *testing.T) {
	for _, c := range []struct {
		argv []string
		want string // a chain, with what stands for several calls as "..."
		own  string
	}{
		{[]string{"moved_text"}, "after_move < worker < main", "after_move"},
		{[]string{"made_code"}, "map_one < (JIT code) < main", "map_one"},
		{[]string{"made_code", "bare"}, "map_one < (JIT code, where the stack ends)", "map_one"},
		{[]string{"deep_stack"}, "at_the_bottom < eval < ... < frames) < eval < ... < eval < load_model < main", "at_the_bottom"},
		{[]string{"deep_stack", "20"}, "at_the_bottom < eval < ... < eval < load_model < main", "at_the_bottom"},
	} {
		t.Run(strings.Join(c.argv, " "), func(t *testing.T) {
			got := owners(t, append([]string{prog(t, c.argv[0])}, c.argv[1:]...)...)
			holdsChain(t, got, c.want, c.own)
		})
	}
}

// holdsChain wants a chain like that among owners.
func holdsChain(t *testing.T, owners map[string]string, want, own string) {
	t.Helper()
	parts := strings.Split(want, " < ... < ") // of which each is in it
	for chain, first := range owners {
		if chain == want && first == own {
			return
		}
		if n := len(parts); n > 1 && first == own && strings.HasPrefix(chain, parts[0]) && strings.HasSuffix(chain, parts[n-1]) &&
			!slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(chain, p) }) {
			return
		}
	}
	t.Errorf("no owner is %s, of %s: %v", want, own, owners)
}

// TestWhoInPrivatePrefix: a C library, and one that has the program's code, below a root of their own; the executable only launches
// that.
func TestWhoInPrivatePrefix(t *testing.T) {
	testenv.Need(t, "gcc")
	const libc, loader = "/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"
	for _, path := range []string{libc, loader} {
		if _, err := os.Stat(path); err != nil {
			testenv.Lacks(t, path)
		}
	}
	root := t.TempDir()
	lib := filepath.Join(root, "usr/lib/x86_64-linux-gnu")
	if err := os.MkdirAll(lib, 0o700); err != nil {
		t.Fatal(err)
	}
	copyFile(t, libc, filepath.Join(lib, "libc.so.6"), nil)
	copyFile(t, loader, filepath.Join(lib, "ld.so"), nil)
	for name, text := range map[string]string{
		"engine.c": `#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
void *a, *b;
__attribute__((noinline)) static void load_cache(void) { a = mmap(0, 32 << 20, 3, 34, -1, 0); memset(a, 1, 16 << 20); }
__attribute__((noinline)) static void load_index(void) { b = malloc(20 << 20); memset(b, 1, 20 << 20); }
__attribute__((noinline)) static void handle(int n) { if (n == 3) load_cache(); if (n == 5) load_index(); }
void app_main(void) { for (int i = 0; i < 10; i++) handle(i); }
`,
		"main.c": "void app_main(void);\nint main(void) { app_main(); return 0; }\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"-O1", "-g", "-fno-optimize-sibling-calls", "-shared", "-fPIC", "-o", filepath.Join(lib, "libengine.so"), "engine.c"},
		{"-g", "-o", "app", "main.c", filepath.Join(lib, "libengine.so"), "-Wl,-rpath," + lib, "-Wl,--dynamic-linker=" + filepath.Join(lib, "ld.so")},
	} {
		cmd := exec.Command("gcc", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("gcc %v: %v\n%s", args, err, out)
		}
	}
	got := owners(t, filepath.Join(root, "app"))
	holdsChain(t, got, "load_cache < handle < app_main < main", "load_cache")
	holdsChain(t, got, "malloc < load_index < handle < app_main < main", "load_index")
}

// TestWhoOfCgo: Go that links C has the owners of Go that does not.
func TestWhoOfCgo(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "gcc", "go")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module x\ngo 1.21\n",
		"main.go": `package main

// #include <stdlib.h>
import "C"
import "os"

//go:noinline
func loadTable(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 1
	}
	return b
}

func main() {
	C.free(C.malloc(1))
	os.Exit(len(loadTable(200<<20)) - 200<<20)
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-o", "prog", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	got := owners(t, filepath.Join(dir, "prog"))
	holdsChain(t, got, "runtime.makeslice < main.loadTable < main.main", "main.loadTable")
	for chain, own := range got {
		if strings.Contains(chain, "x_cgo_mmap") {
			t.Errorf("%s made something: %s", own, chain)
		}
	}
}
