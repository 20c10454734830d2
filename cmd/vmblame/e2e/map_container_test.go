package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
)

// rootOf makes a root folder that has a program, what it needs of the C library, and vmblame.
func rootOf(t *testing.T, program string) string {
	t.Helper()
	root := t.TempDir()
	for from, to := range map[string]string{"/lib64/ld-linux-x86-64.so.2": "lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6": "lib/x86_64-linux-gnu/libc.so.6",
		program: filepath.Base(program), built.vmblame: "vmblame"} {
		b, err := os.ReadFile(from)
		if os.IsNotExist(err) {
			testenv.Lacks(t, "a Debian C library")
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(to)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, to), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "proc"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

// knows fails the test unless a report in JSON has what memory_malloc has: four stacks, four arenas, its large allocations.
func knows(t *testing.T, where, report string) {
	t.Helper()
	var r analysis.Report
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	n, large := map[classify.Kind]int{}, uint64(0)
	for _, m := range ranges(r.Processes[0].Holders) {
		if m.Confidence == classify.Certain {
			n[m.Kind]++
		}
		if m.Kind == classify.GlibcLarge {
			large += uint64(m.End - m.Start)
		}
	}
	if n[classify.ThreadStack] != 4 || n[classify.GlibcArena] < 4 || large != 10<<20+4*4096 || n[classify.ELFText] < 3 {
		t.Errorf("%s: %v, %d bytes of large allocations", where, n, large)
	}
}

// TestMapInContainer: a process in a pid, user and mount namespace of its own, under a root of its own, is known by the host's
// pid, and from inside by its own.
func TestMapInContainer(t *testing.T) {
	testenv.Need(t, "root", "unshare", "nsenter")
	root := rootOf(t, prog(t, "memory_malloc"))
	argv := []string{"unshare", "--pid", "--mount", "--fork", "--root", root, "--mount-proc"}
	if exec.Command("unshare", "--user", "--map-root-user", "--pid", "--fork", "true").Run() == nil {
		argv = append(argv, "--user", "--map-root-user")
	}
	cmd := exec.Command(argv[0], append(argv[1:], "/memory_malloc")...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
	})
	untilReady(t, stdout)
	pids := descendants(cmd.Process.Pid)
	if len(pids) != 1 {
		t.Fatalf("children %v", pids)
	}
	pid := strconv.Itoa(pids[0])
	knows(t, "by the host's pid", output(t, built.vmblame, "map", "--json", pid))
	inside := []string{"nsenter", "--target", pid, "--pid", "--mount", "--root", "--wd"}
	if len(argv) > 7 {
		inside = append(inside, "--user")
	}
	knows(t, "from inside", output(t, append(inside, "/vmblame", "map", "--json", "1")...))
}

// TestMapUnprivileged: a user's own processes are known to him as to root; those of others are refused in one line that says
// what would help.
func TestMapUnprivileged(t *testing.T) {
	testenv.Need(t, "root", "setpriv")
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	root := rootOf(t, prog(t, "memory_malloc"))
	makePublic(t, root)
	cmd := exec.Command(filepath.Join(root, "memory_malloc"))
	cmd.SysProcAttr = nobody
	_, stdout := testenv.Waiting(t, cmd)
	untilReady(t, stdout)
	as := func(pid int, more ...string) *exec.Cmd {
		c := exec.Command(filepath.Join(root, "vmblame"), append([]string{"map", strconv.Itoa(pid)}, more...)...)
		c.SysProcAttr, c.Dir = nobody, "/"
		return c
	}
	own := as(cmd.Process.Pid, "--json")
	out, err := own.Output()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) > 0 && strings.Contains(string(out), string(classify.GlibcArena)) {
		knows(t, "as its own user", string(out))
	} else {
		testenv.Need(t, "attach") // Yama keeps others of the same user out
		t.Errorf("its own user is told %.300s", out)
	}
	text, err := as(os.Getpid()).CombinedOutput()
	if err == nil || !strings.Contains(string(text), "permission denied") || !strings.Contains(string(text), "CAP_SYS_PTRACE") || strings.Count(string(text), "\n") != 1 {
		t.Errorf("another's: %v, %s", err, text)
	}
}

// TestMapUnreadMemory: where the mappings of a process may be seen and its memory may not be read, as Yama has it, map tells
// what mappings tell, nothing of it wrong, and says in one line what more rights would.
func TestMapUnreadMemory(t *testing.T) {
	testenv.Need(t, "root", "setpriv", "unshare", "gdb", "libc6-dbg")
	root := rootOf(t, prog(t, "memory_malloc"))
	for from, to := range map[string]string{prog(t, "denies"): "denies", os.DevNull: "unreadable"} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		mode := os.FileMode(0o755)
		if len(b) == 0 {
			mode = 0
		}
		if err := os.WriteFile(filepath.Join(root, to), b, mode); err != nil {
			t.Fatal(err)
		}
	}
	makePublic(t, root)
	cmd := exec.Command(filepath.Join(root, "memory_malloc"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	_, stdout := testenv.Waiting(t, cmd)
	untilReady(t, stdout)
	pid := strconv.Itoa(cmd.Process.Pid)
	look := exec.Command("unshare", "--mount", "sh", "-c", `mount --bind unreadable /proc/$1/mem &&
		exec setpriv --reuid=65534 --regid=65534 --clear-groups ./denies process_vm_readv=1 -- ./vmblame map --json $1`, "sh", pid)
	look.Dir = root
	var stderr strings.Builder
	look.Stderr = &stderr
	out, err := look.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if text := stderr.String(); !strings.Contains(text, "memory of process "+pid+" cannot be read") || !strings.Contains(text, "CAP_SYS_PTRACE") || strings.Count(text, "\n") != 1 {
		t.Errorf("says %q", text)
	}
	var r analysis.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	h := newTruth(t, cmd.Process.Pid)
	var notes strings.Builder
	j := h.judge(ranges(r.Processes[0].Holders), func(format string, args ...any) { fmt.Fprintf(&notes, format+"\n", args...) })
	if j.wrong > 0 || j.right == 0 || j.unknown < 10<<20 {
		t.Errorf("%+v\n%s", j, notes.String())
	}
}

// TestMapUndumpable: of a process of the same user that keeps it from its memory, as one whose program may not be read does, the
// refusal says so, and not that it is another's.
func TestMapUndumpable(t *testing.T) {
	testenv.Need(t, "root", "setpriv")
	root := rootOf(t, prog(t, "memory_malloc"))
	makePublic(t, root)
	program := filepath.Join(root, "memory_malloc")
	if err := os.Chmod(program, 0o711); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	_, stdout := testenv.Waiting(t, cmd)
	untilReady(t, stdout)
	for user, want := range map[string]string{"65534": "PR_SET_DUMPABLE", "65533": "another user's"} {
		look := exec.Command("setpriv", "--reuid="+user, "--regid="+user, "--clear-groups", filepath.Join(root, "vmblame"), "map", strconv.Itoa(cmd.Process.Pid))
		look.Dir = root
		out, err := look.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Count(string(out), "\n") != 1 {
			t.Errorf("user %s: %v, %q", user, err, out)
		}
	}
}
