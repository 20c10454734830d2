//go:build race

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// TestRaceOfExecutable: the executable, itself built with the race detector, records, cuts, shows and reads without a race. The
// other tests run one without it, which is what users run.
func TestRaceOfExecutable(t *testing.T) {
	testenv.Need(t, "ptrace")
	dir := t.TempDir()
	raced := filepath.Join(dir, "vmblame")
	build := exec.Command("go", "build", "-race", "-buildvcs=false", "-o", raced, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	log := filepath.Join(dir, "log.jsonl.zst")
	// The detector ends what had a race with 66.
	ends := func(status string, args ...string) {
		t.Helper()
		c := begin(t, append([]string{raced}, args...))
		c.mustEnd("exit status " + status)
	}
	ends("0", "run", "-q", "-o", log, prog(t, "scale"), "events", "5000")
	ends("0", "run", "-q", "--log-limit", "4M", "-o", filepath.Join(dir, "cut.jsonl"), prog(t, "scale"), "events", "20000")
	ends("0", "run", "-q", "--snapshot-every", "1s", "-o", filepath.Join(dir, "threads.jsonl"), prog(t, "scale"), "threads", "200")
	ends("7", "run", "--live", "--verify=each", "-o", filepath.Join(dir, "live.jsonl"), prog(t, "steady"), "60")
	ends("6", "run", "--until-exit", "-o", filepath.Join(dir, "daemon.jsonl"), prog(t, "daemon"), filepath.Join(dir, "said"))
	for _, backend := range []string{"auto", "syscall"} {
		target := begin(t, []string{prog(t, "storm"), "4", "0", "1"})
		attached := filepath.Join(dir, backend+".jsonl")
		c := begin(t, []string{raced, "attach", "--live", "--backend=" + backend, "-o", attached, strconv.Itoa(target.pid)})
		eventually(t, "it records", func() bool { st, err := os.Stat(attached); return err == nil && st.Size() > 0 })
		c.signal(syscall.SIGINT)
		c.mustEnd("exit status 0")
	}
	for _, view := range [][]string{{"check"}, {"report"}, {"failed"}, {"export", "--format", "folded", "-o", filepath.Join(dir, "folded")}} {
		ends("0", append(view, log)...)
	}
	ends("0", "growth", filepath.Join(dir, "threads.jsonl"))
}
