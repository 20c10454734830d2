package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// sameUnder runs a command with and without vmblame, and compares what it prints.
func sameUnder(t *testing.T, flags []string, argv []string, change ...func(*exec.Cmd)) string {
	t.Helper()
	plain := begin(t, argv, change...)
	want := plain.ended()
	log := filepath.Join(t.TempDir(), "log.jsonl")
	args := append([]string{built.vmblame, "run", "-q", "-o", log}, flags...)
	c := begin(t, append(append(args, "--"), argv...), change...)
	c.mustEnd(want)
	for _, name := range []string{"stdout", "stderr"} {
		if a, b := plain.text(name), c.text(name); a != b {
			t.Errorf("%v writes to %s\n%s\nunder vmblame\n%s", argv, name, a, b)
		}
	}
	proven(t, log)
	return plain.text("stdout")
}

// A program finds what it would have found without vmblame.
func TestRunInheritance(t *testing.T) {
	status := `grep -E '^(Umask|Uid|Gid|Groups|Threads|Sig(Blk|Ign|Cgt)|Cap|NoNewPrivs|Cpus_allowed|Mems_allowed):' /proc/self/status
		ulimit -S -a; ulimit -H -a; cat /proc/self/personality /proc/self/oom_score_adj /proc/self/timerslack_ns /proc/self/coredump_filter
		nice; env | grep -v -e ^PWD= -e ^VMBLAME_ACCOUNT= | sort; cut -d' ' -f7,8 /proc/self/stat; ls /proc/self/fd | wc -l`
	if os.Geteuid() != 0 {
		status = strings.Replace(status, "|NoNewPrivs", "", 1) // without privileges a filter wants it: seccomp(2)
	}
	argv := []string{"bash", "-c", status}
	sameUnder(t, nil, argv)
	sameUnder(t, []string{"--no-seccomp"}, argv)
	// Limits, priorities and masks that are not the default ones.
	sameUnder(t, nil, []string{"bash", "-c", "umask 027; ulimit -S -n 77; ulimit -S -s 1000; exec nice -n 3 bash -c \"$0\"", status})
}

// Signals that a shell's `trap "" SIGNAL`, nohup or a service manager leaves ignored, and blocked ones, stay so.
func TestRunKeepsSignals(t *testing.T) {
	const mask = `
import os, signal, sys
for s in signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCHLD, signal.SIGTSTP, signal.SIGUSR1, 40, 64:
    signal.signal(s, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGCHLD, signal.SIGHUP, signal.SIGALRM, 50])
os.execvp(sys.argv[1], sys.argv[1:])
`
	show := []string{"grep", "-E", "^Sig(Blk|Ign|Cgt):", "/proc/self/status"}
	plain := begin(t, append([]string{testenv.Python(t), "-c", mask}, show...))
	plain.mustEnd("exit status 0")
	log := filepath.Join(t.TempDir(), "log.jsonl")
	c := begin(t, append([]string{testenv.Python(t), "-c", mask, built.vmblame, "run", "-q", "-o", log, "--"}, show...))
	c.mustEnd("exit status 0")
	if a, b := plain.text("stdout"), c.text("stdout"); a != b || !strings.Contains(a, "SigIgn:\t8000008") {
		t.Errorf("without vmblame\n%s\nwith\n%s", a, b)
	}
}

// The program gets the descriptors that vmblame was given, at their numbers, and none of vmblame's own.
func TestRunDescriptors(t *testing.T) {
	list := `cd /proc/$$/fd && stat -c %N *; cat <&20; echo written >&7`
	var written [2]string
	for i, under := range []bool{false, true} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "in"), []byte("through twenty\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		argv := []string{"bash", "-c", list}
		if under {
			argv = append([]string{built.vmblame, "run", "-q", "-o", "log.jsonl", "--"}, argv...)
		}
		argv = append([]string{"bash", "-c", `exec "$@" 3>three 7>seven 20<in 100</dev/zero`, "bash"}, argv...)
		c := begin(t, argv, func(cmd *exec.Cmd) { cmd.Dir = dir })
		c.mustEnd("exit status 0")
		seven, _ := os.ReadFile(filepath.Join(dir, "seven"))
		written[i] = strings.NewReplacer(dir, "DIR", c.dir, "OUT").Replace(c.text("stdout")) + string(seven)
	}
	if written[0] != written[1] || !strings.Contains(written[0], "'100' -> '/dev/zero'") || !strings.HasSuffix(written[0], "through twenty\nwritten\n") {
		t.Errorf("without vmblame\n%s\nwith\n%s", written[0], written[1])
	}
}

// nohup vmblame run: neither goes with the terminal.
func TestRunUnderNohup(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	c := begin(t, []string{"nohup", built.vmblame, "run", "-q", "-o", log, "--", prog(t, "storm"), "1", "0", "1"})
	pid := traceeOf(c, "ready")
	c.signal(syscall.SIGHUP)
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	c.signal(syscall.SIGTERM)
	c.mustEnd("exit status 0")
	proven(t, log)
}

// A set-uid program keeps its effect where root traces.
func TestRunSetUID(t *testing.T) {
	dir := setuidDir(t)
	setuid := filepath.Join(dir, "setuid-id")
	if out, err := exec.Command("sh", "-c", "cp $(command -v id) "+setuid+" && chmod 4755 "+setuid).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, flags := range [][]string{nil, {"--no-seccomp"}} {
		log := filepath.Join(t.TempDir(), "log.jsonl")
		c := launch(t, log, append(flags, "--user", "nobody", "--", "sh", "-c", "id -u; "+setuid+" -u; grep NoNewPrivs /proc/self/status")...)
		c.mustEnd("exit status 0")
		if got, want := c.text("stdout"), "65534\n0\nNoNewPrivs:\t0\n"; got != want {
			t.Errorf("%v: %q, want %q", flags, got, want)
		}
		proven(t, log)
	}
}
