package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// hostile is what `hostile` of testdata does, and the drift that there may be beside the growth of stacks.
var hostile = map[string]string{
	"block_and_exec": "signal blocked", "vdso": "", "text": "", "changes": "", "empty_root": "", "clone_vm": "", "vfork": "",
	"traceme": "", "stack": "", "remaps": "", "advice": "", "userfault": "",
}

// TestHostile: programs that block what a tracer waits for, take away what it stands on, or share what it follows are unharmed, and
// what is said of them is true, by run and by attach; and they outlive an attached vmblame that is killed.
func TestHostile(t *testing.T) {
	for what, guess := range hostile {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			log := filepath.Join(t.TempDir(), "log.jsonl")
			unharmed := func(t *testing.T, c *child) {
				t.Helper()
				c.mustEnd("exit status 9")
				if got := c.text("stdout"); !strings.HasSuffix(got, "unharmed\n") {
					t.Errorf("it said %q", got)
				}
			}
			for _, backend := range some("sigtrap", "seccomp", "syscall") {
				if what == "changes" && backend == "seccomp" {
					continue // strict mode is refused where there is a filter, which is said
				}
				t.Run("run "+backend, func(t *testing.T) {
					needBackend(t, backend)
					unharmed(t, begin(t, []string{built.vmblame, "run", "-q", "--backend=" + backend, "-o", log, prog(t, "hostile"), what}))
					provenBut(t, log, guess)
				})
			}
			if what == "block_and_exec" || what == "changes" {
				return // it does that once
			}
			for _, backend := range some("sigtrap", "syscall") {
				for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
					if sig != syscall.SIGINT && !testenv.CI() {
						continue
					}
					t.Run(fmt.Sprint("attach ", backend, " ", sig), func(t *testing.T) {
						needBackend(t, backend)
						input, end, err := os.Pipe()
						if err != nil {
							t.Fatal(err)
						}
						target := begin(t, []string{prog(t, "hostile"), what, "3000"}, func(cmd *exec.Cmd) { cmd.Stdin = input })
						input.Close()
						t.Cleanup(func() { end.Close() })
						eventually(t, "it is ready", func() bool { return strings.Contains(target.text("stdout"), "ready\n") })
						a := attached(t, log, target.pid, "--backend="+backend)
						a.signal(sig)
						a.ended()
						if !testenv.CI() { // where it is, the program goes on for all of its 3 s
							end.Close()
						}
						unharmed(t, target)
						if sig == syscall.SIGINT {
							provenBut(t, log, guess)
						}
					})
				}
			}
		})
	}
}

// some returns all backends where CI is set, and else the best one that the machine has: of two, the second is had everywhere.
func some(backends ...string) []string {
	switch {
	case testenv.CI():
		return backends
	case testenv.Has(backends[0]):
		return backends[:1]
	}
	return backends[1:2]
}

// needBackend skips the test unless the machine has a backend.
func needBackend(t *testing.T, backend string) {
	t.Helper()
	if backend == "sigtrap" {
		testenv.Need(t, backend)
	}
}
