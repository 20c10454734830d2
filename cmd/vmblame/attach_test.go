package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// sleeper starts a process that waits.
func sleeper(t *testing.T) int { return background(t, "sleep", "1000").Process.Pid }

// attached starts vmblame attach and waits until it traces the process, or has done so and is over.
func attached(t *testing.T, dir string, stderr *bytes.Buffer, pid int, flags ...string) *exec.Cmd {
	t.Helper()
	args := append([]string{"attach", "-o", "log.jsonl"}, flags...)
	cmd := command(t, dir, append(args, strconv.Itoa(pid))...)
	cmd.Stderr = stderr
	start(t, cmd)
	until(t, "the attach", func() bool {
		return tracerOf(pid) == strconv.Itoa(cmd.Process.Pid) || strings.HasPrefix(statusLine(cmd.Process.Pid, "State"), "Z")
	})
	return cmd
}

// TestAttachEnds: INT, TERM, HUP and --duration detach, status 0, and leave the process as it was.
func TestAttachEnds(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, 0} {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			dir := t.TempDir()
			pid := sleeper(t)
			var flags []string
			cause := "detach"
			if s == 0 {
				flags, cause = []string{"--duration=300ms"}, "duration"
			}
			var errs bytes.Buffer
			cmd := attached(t, dir, &errs, pid, flags...)
			if s != 0 {
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			cmd.Wait()
			r := resultOf(t, cmd, "", errs.String())
			r.wants(t, 0, "mapped at detach", "explained", "before attach")
			if got := tracerOf(pid); got != "0" {
				t.Errorf("TracerPid is %s", got)
			}
			until(t, "the sleep", func() bool { return strings.HasPrefix(statusLine(pid, "State"), "S") })
			all := records(t, filepath.Join(dir, "log.jsonl"))
			if end := pick[*eventlog.End](all)[0]; end.Cause != cause || end.Exit != nil {
				t.Errorf("end: %+v, want cause %s", end, cause)
			}
			if sp := pick[*eventlog.Space](all)[0]; sp.Cause != "attach" || sp.PID != pid || len(sp.Mappings) == 0 {
				t.Errorf("space: %+v", sp)
			}
		})
	}
}

// TestAttachTargetEnds: the end of the target ends the recording, status 0.
func TestAttachTargetEnds(t *testing.T) {
	dir := t.TempDir()
	pid := sleeper(t)
	var errs bytes.Buffer
	cmd := attached(t, dir, &errs, pid)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	resultOf(t, cmd, "", errs.String()).wants(t, 0, "mapped at exit")
	if end := pick[*eventlog.End](records(t, filepath.Join(dir, "log.jsonl")))[0]; end.Cause != "exit" {
		t.Errorf("end: %+v", end)
	}
}

// TestAttachStopped: a stopped process stays stopped.
func TestAttachStopped(t *testing.T) {
	dir := t.TempDir()
	pid := sleeper(t)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "the stop", func() bool { return strings.HasPrefix(statusLine(pid, "State"), "T") })
	var errs bytes.Buffer
	cmd := attached(t, dir, &errs, pid, "--duration=200ms")
	cmd.Wait()
	resultOf(t, cmd, "", errs.String()).wants(t, 0)
	if got := statusLine(pid, "State"); !strings.HasPrefix(got, "T (stopped)") {
		t.Errorf("state %s", got)
	}
}

// TestAttachSeveral: two processes, one given twice.
func TestAttachSeveral(t *testing.T) {
	dir := t.TempDir()
	a, b := sleeper(t), sleeper(t)
	r := vmblame(t, dir, "attach", "--duration=200ms", fmt.Sprint(a), fmt.Sprint(b), fmt.Sprint(a))
	r.wants(t, 0, fmt.Sprintf("pid %d sleep", a), fmt.Sprintf("\n%d ", b))
	spaces := pick[*eventlog.Space](records(t, filepath.Join(dir, fmt.Sprintf("vmblame.%d.jsonl", a))))
	if len(spaces) != 2 || spaces[0].PID != a || spaces[1].PID != b {
		t.Errorf("spaces: %+v", spaces)
	}
}

// refused is an attach that cannot be: status 1, one or two lines, no log left behind unless it was opened.
func refused(t *testing.T, r result, words ...string) {
	t.Helper()
	r.wants(t, 1, words...)
	if n := strings.Count(r.stderr, "\n"); n > 2 || !strings.HasPrefix(r.stderr, "vmblame: ") {
		t.Errorf("%d lines:\n%s", n, r.stderr)
	}
}

func TestAttachNoProcess(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := fmt.Sprint(cmd.Process.Pid)
	refused(t, vmblame(t, "", "attach", pid), pid, "no such process")
	refused(t, vmblame(t, "", "attach", fmt.Sprint(sleeper(t)), pid), pid, "no such process")
}

func TestAttachZombie(t *testing.T) {
	cmd := background(t, "true")
	pid := cmd.Process.Pid
	until(t, "the end", func() bool { return strings.HasPrefix(statusLine(pid, "State"), "Z") })
	refused(t, vmblame(t, "", "attach", fmt.Sprint(pid)), fmt.Sprint(pid))
}

func TestAttachSelf(t *testing.T) {
	cmd := command(t, "", "attach", "$$")
	// exec keeps the pid, so that the shell knows vmblame's.
	cmd.Args = []string{"sh", "-c", "exec " + binary + " attach $$"}
	cmd.Path = "/bin/sh"
	refused(t, finish(t, cmd))
}

// TestAttachTraced: the tracer is named, by the number of its process.
func TestAttachTraced(t *testing.T) {
	pid := sleeper(t)
	strace := background(t, "strace", "-o", os.DevNull, "-p", fmt.Sprint(pid))
	tracer := fmt.Sprint(strace.Process.Pid)
	until(t, "strace", func() bool { return tracerOf(pid) == tracer })
	refused(t, vmblame(t, "", "attach", fmt.Sprint(pid)), fmt.Sprint(pid), "already traced by pid "+tracer+" (strace)")
	if tracerOf(pid) != tracer {
		t.Error("the tracer has changed")
	}
}

// TestAttachKernelThread looks for a kernel thread; in a pid namespace of its own, which has none, there is
// nothing to refuse, and package tracer tests the recognition.
func TestAttachKernelThread(t *testing.T) {
	if name, err := os.ReadFile("/proc/2/comm"); err != nil || string(name) != "kthreadd\n" {
		t.Log("no kernel thread can be seen from this pid namespace")
		return
	}
	refused(t, vmblame(t, "", "attach", "2"), "2", "kernel thread")
}

// TestAttachForbidden: another user's process; the message says which right is missing and how to get it.
func TestAttachForbidden(t *testing.T) {
	testenv.Need(t, "root")
	pid := sleeper(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "/", "attach", "-o", filepath.Join(os.TempDir(), fmt.Sprintf("vmblame.test.%d.jsonl", pid)), fmt.Sprint(pid))
	t.Cleanup(func() { os.Remove(cmd.Args[3]) })
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	refused(t, finish(t, cmd), fmt.Sprint(pid), "permission denied", "CAP_SYS_PTRACE", "docker run --cap-add=SYS_PTRACE", "kubectl debug")
}

// TestAttachLogFails: the target is not touched where the log cannot be opened.
func TestAttachLogFails(t *testing.T) {
	pid := sleeper(t)
	refused(t, vmblame(t, "", "attach", "-o", "/no/such/log", fmt.Sprint(pid)), "/no/such/log", "no such file")
	if tracerOf(pid) != "0" {
		t.Error("the target is traced")
	}
}
