package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/testenv"
)

// TestLimitsOfTheMoment: a call is said to have run against the limit of its moment, which the program, or another, had changed.
func TestLimitsOfTheMoment(t *testing.T) {
	for _, backend := range []string{"seccomp", "sigtrap"} {
		t.Run(backend, func(t *testing.T) {
			if backend == "sigtrap" {
				testenv.Need(t, "sigtrap")
			}
			dir := t.TempDir()
			log := filepath.Join(dir, "log.jsonl")
			o := start(t, dir, filepath.Join(dir, "account"), built.vmblame, "run", "-q", "-o", log, "--backend="+backend, "--", prog(t, "limits_itself"))
			if o.status != "exit status 0" {
				t.Fatal(o)
			}
			if o := start(t, dir, "", built.vmblame, "check", log); o.status != "exit status 0" {
				t.Error(o)
			}
			var f analysis.Failed
			o = start(t, dir, "", built.vmblame, "failed", "--json", log)
			if err := json.Unmarshal([]byte(o.stdout), &f); err != nil {
				t.Fatalf("%v: %v", err, o)
			}
			want := map[string]int64{"asks": 100 << 20, "child_asks": 50 << 20}
			for _, c := range f.Calls {
				limit, asked := want[c.Calls[0]]
				if !asked {
					continue
				}
				delete(want, c.Calls[0])
				if c.Limit == nil || c.Limit.Name != "rlimit_as" || *c.Limit.Value != limit || c.Limit.Confidence != "certain" {
					t.Errorf("%s ran against %+v, want %d bytes of RLIMIT_AS", c.Calls[0], c.Limit, limit)
				}
			}
			if len(want) > 0 {
				t.Errorf("not told of: %v, but %+v", want, f.Calls)
			}
			if o := start(t, dir, "", built.vmblame, "report", log); !strings.Contains(o.stdout, "RLIMIT_AS") || !strings.Contains(o.stdout, "of 100.0 MiB") {
				t.Errorf("the head has another limit: %s", o.stdout)
			}
		})
	}
}

// TestKilledForMemory: a program that its cgroup kills for want of memory: the head says by which signal it ended, that processes were
// killed for memory, and which bound was hit.
func TestKilledForMemory(t *testing.T) {
	testenv.Need(t, "memory cgroup")
	dir := t.TempDir()
	group, err := newMemoryGroup(filepath.Base(filepath.Dir(dir))+filepath.Base(dir), 96<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer group.remove()
	log := filepath.Join(dir, "log.jsonl")
	// Whom the kernel kills is told to it: the one that grows.
	script := "echo $$ >" + group.procs() + " && exec " + built.vmblame + " run -q --no-follow -o " + log + " -- sh -c 'echo 1000 >/proc/self/oom_score_adj; exec " + prog(t, "eats") + "'"
	if o := start(t, dir, "", "sh", "-c", script); o.status != "signal: killed" {
		t.Fatal(o)
	}
	o := start(t, dir, "", built.vmblame, "report", log)
	for _, words := range []string{"killed by SIGKILL", "the OOM killer killed 1 process of its cgroup", "cgroup memory.max"} {
		if !strings.Contains(strings.Join(strings.Fields(o.stdout), " "), words) {
			t.Errorf("the head does not say %q: %s", words, o)
		}
	}
}
