package modules

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/elffile"
)

// TestRoles holds what files are, whatever they are called: those of this machine that are here, under another name.
func TestRoles(t *testing.T) {
	held := 0
	for pattern, want := range map[string]callers.Role{
		"/lib/x86_64-linux-gnu/libc.so.6":                    callers.Glibc,
		"/lib64/ld-linux-x86-64.so.2":                        callers.Loader,
		"/lib/ld-musl-x86_64.so.1":                           callers.Musl,
		"/lib/x86_64-linux-gnu/libstdc++.so.6":               callers.Support,
		"/lib/x86_64-linux-gnu/libgcc_s.so.1":                callers.Support,
		"/usr/lib/x86_64-linux-gnu/libjemalloc.so.2":         "jemalloc",
		"/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4": "tcmalloc",
		"/usr/lib/x86_64-linux-gnu/libmimalloc.so.2":         "mimalloc",
		"/usr/lib/x86_64-linux-gnu/libgc.so.1":               "bdwgc",
		"/usr/lib/x86_64-linux-gnu/libruby-3.?.so.3.?":       "ruby",
		"/usr/lib/x86_64-linux-gnu/libnode.so.*":             "v8",
		"/usr/lib/x86_64-linux-gnu/libasan.so.8":             "sanitizer",
		"/usr/lib/jvm/*/lib/server/libjvm.so":                "jvm",
		"/usr/bin/python3.1?":                                "python",
		"/usr/bin/php8.?":                                    "php",
		"/usr/bin/ruby3.?":                                   callers.Launcher,
		"/usr/bin/true":                                      callers.Other,
		"/proc/self/exe":                                     callers.Other,
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			f, err := elffile.OpenPath(path)
			if err != nil {
				t.Logf("%s: %v", path, err)
				continue
			}
			if got := classify.Known().RoleOf(f.Dynamic(), f.IsProgram(), f.Code().Len()); got != want {
				t.Errorf("%s is %q, want %q", path, got, want)
			}
			held++
			f.Close()
		}
	}
	if _, err := os.Stat("/proc/self/exe"); err == nil && held == 0 {
		t.Error("no file was looked at")
	}
}
