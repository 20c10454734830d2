package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// refused checks that vmblame ends with a message of at most two lines that has all these words.
func refused(t *testing.T, c *child, end string, words ...string) {
	t.Helper()
	c.mustEnd(end)
	text := c.text("stderr")
	if !strings.HasPrefix(text, "vmblame: ") || strings.Count(text, "\n") > 2 {
		t.Errorf("%v: %q", c.cmd.Args, text)
	}
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%v: %q does not say %q", c.cmd.Args, text, w)
		}
	}
}

func TestAttachRefused(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "log.jsonl")
	refusal := func(pid int, words ...string) {
		t.Helper()
		refused(t, attach(t, log, "-q", pid), "exit status 1", append(words, fmt.Sprintf("attach %d: ", pid))...)
	}
	churn := begin(t, []string{prog(t, "churn"), "1000s"})
	eventually(t, "churn is ready", func() bool { return churn.line("ready") != "" })

	refusal(1<<22, "no such process") // PID_MAX_LIMIT, proc_sys_kernel(5)
	if name, _ := os.ReadFile("/proc/2/comm"); string(name) == "kthreadd\n" {
		refusal(2, "kernel thread") // from another pid namespace none can be seen: package tracer tests more
	}
	many := sleepers(t)
	for _, th := range threadsOf(many.pid) {
		if th.tid != many.pid {
			refusal(th.tid, "thread of process", strconv.Itoa(many.pid))
		}
	}
	mustHaveSlept(t, many)
	self := begin(t, []string{"sh", "-c", `exec "$0" attach -q -o log.jsonl $$`, built.vmblame})
	refused(t, self, "exit status 1", "vmblame itself")

	zombie := begin(t, []string{"sh", "-c", "true & exec sleep 1000"})
	eventually(t, "there is a zombie", func() bool { kids := childrenOf(zombie.pid); return len(kids) == 1 && allIn(kids[0], "Z") })
	refusal(childrenOf(zombie.pid)[0], "no such process", "zombie")

	strace := begin(t, []string{"strace", "-qq", "-f", "-o", "/dev/null", "-p", strconv.Itoa(churn.pid)})
	eventually(t, "strace traces", func() bool { return tracedBy(churn.pid, strace.pid) })
	refusal(churn.pid, fmt.Sprintf("already traced by pid %d (strace)", strace.pid))
	strace.signal(syscall.SIGTERM)
	strace.ended()

	gdb := begin(t, []string{"gdb", "-q", "-nx", "-batch", "-p", strconv.Itoa(zombie.pid), "-ex", "shell touch there; while [ ! -e go ]; do sleep 0.01; done"})
	eventually(t, "gdb traces", func() bool { _, err := os.Stat(gdb.file("there")); return err == nil })
	refusal(zombie.pid, fmt.Sprintf("already traced by pid %d (gdb)", gdb.pid))
	if err := os.WriteFile(gdb.file("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	gdb.ended()

	a := attached(t, log, churn.pid)
	other := filepath.Join(t.TempDir(), "log.jsonl")
	refused(t, attach(t, other, "-q", churn.pid), "exit status 1", fmt.Sprintf("already traced by pid %d (vmblame)", a.pid))
	// One that is refused lets the others go.
	refused(t, attach(t, other, "-q", zombie.pid, churn.pid), "exit status 1", fmt.Sprintf("attach %d: already traced", churn.pid))
	mustBeFree(t, zombie.pid)
	a.signal(syscall.SIGINT)
	a.mustEnd("exit status 0")
	mustBeFree(t, churn.pid)
	proven(t, log)
}

// An unprivileged user is told whose process it is and what to do.
func TestAttachWithoutPermission(t *testing.T) {
	dir := publicDir(t)
	vmblame := copyOf(t, built.vmblame, filepath.Join(dir, "vmblame"))
	roots := begin(t, []string{"sleep", "1000"})
	refused(t, begin(t, []string{vmblame, "attach", "-q", "-o", "/dev/null", strconv.Itoa(roots.pid)}, nobody),
		"exit status 1", "permission denied", "uid 0", "uid 65534", "try: ", "SYS_PTRACE")
	mustBeFree(t, roots.pid)

	// Its own it may trace, and launch. Where kernel.yama.ptrace_scope is 1 that is what it has made, and what
	// lets itself be traced by anybody: prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY).
	own := begin(t, []string{"/usr/bin/python3", "-c", `
import ctypes, time
ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)
print("ready", flush=True)
time.sleep(1000)
`}, nobody)
	eventually(t, "it lets itself be traced", func() bool { return own.text("stdout") == "ready\n" })
	begin(t, []string{vmblame, "attach", "-q", "--duration", "20ms", "-o", "/dev/null", strconv.Itoa(own.pid)}, nobody).
		mustEnd("exit status 0")
	c := begin(t, []string{vmblame, "run", "-q", "-o", "/dev/null", "--", "sh", "-c", "id -u; exit 5"}, nobody)
	c.mustEnd("exit status 5")
	if got := c.text("stdout"); got != "65534\n" {
		t.Errorf("%q", got)
	}
}

// publicDir is a temporary directory that every user may search, for tests that run programs as another.
func publicDir(t *testing.T) string {
	t.Helper()
	testenv.Need(t, "root")
	dir := t.TempDir()
	makePublic(t, dir)
	return dir
}

// makePublic lets every user search a test's temporary directory.
func makePublic(t *testing.T, dir string) {
	t.Helper()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// setuidDir is one in which set-user-ID has an effect, which it may have not where the temporary files are.
func setuidDir(t *testing.T) string {
	t.Helper()
	dir := publicDir(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func copyOf(t *testing.T, file, to string) string {
	t.Helper()
	if out, err := exec.Command("cp", file, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

// nobody makes a command run as a user without rights, in a directory that it may enter.
func nobody(cmd *exec.Cmd) {
	cmd.SysProcAttr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	cmd.Dir = "/"
}

// A set-user-ID program that an unprivileged vmblame follows runs as its caller, and a note says so; under a
// privileged one it has its privileges.
func TestSetUserID(t *testing.T) {
	dir := setuidDir(t)
	vmblame := copyOf(t, built.vmblame, filepath.Join(dir, "vmblame"))
	id := copyOf(t, "/usr/bin/id", filepath.Join(dir, "id"))
	if err := os.Chmod(id, 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		as   func(*exec.Cmd)
		args []string
		note bool
	}{
		{as: nobody, note: true},
		{as: nobody, args: []string{"--no-seccomp"}, note: true},
		{as: func(*exec.Cmd) {}, args: []string{"--user", "65534"}},
		{as: func(*exec.Cmd) {}, args: []string{"--user", "65534", "--no-seccomp"}},
	} {
		// As it is without vmblame: not where the file system or the container forbids it.
		alone := begin(t, []string{id, "-u"}, nobody)
		alone.mustEnd("exit status 0")
		want := alone.text("stdout")
		if c.note {
			want = "65534\n"
		}
		run := begin(t, append(append([]string{vmblame, "run", "-o", "/dev/null"}, c.args...), "--", id, "-u"), c.as)
		run.mustEnd("exit status 0")
		if got := run.text("stdout"); got != want {
			t.Errorf("%v: uid %q, want %q", c.args, got, want)
		}
		if got := strings.Contains(run.text("stderr"), "id (set-user-ID) runs without its privileges"); got != c.note {
			t.Errorf("%v: %s", c.args, run.text("stderr"))
		}
	}
}

// A directory of PATH that may not be searched is no program that may not be executed.
func TestProgramBehindClosedDirectory(t *testing.T) {
	dir := publicDir(t)
	vmblame := copyOf(t, built.vmblame, filepath.Join(dir, "vmblame"))
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	path := func(cmd *exec.Cmd) { cmd.Env = append(os.Environ(), "PATH="+closed+":/usr/bin:/bin") }
	refused(t, begin(t, []string{vmblame, "run", "-q", "-o", "/dev/null", "--", "no-such-program"}, nobody, path),
		"exit status 127", "run no-such-program: not found")
	begin(t, []string{vmblame, "run", "-q", "-o", "/dev/null", "--", "true"}, nobody, path).mustEnd("exit status 0")
}

// Tracers inside of tracers: the kernel allows one for each process.
func TestNestedTracers(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	c := launch(t, log, prog(t, "nested_tracer"))
	c.mustEnd("exit status 0")
	if got := c.line("traceme"); !strings.HasSuffix(got, "allowed=0") {
		t.Error(got)
	}
	proven(t, log)
	// Not followed, and without a filter, the child is the program's.
	c = launch(t, log, "--no-follow", "--no-seccomp", prog(t, "nested_tracer"))
	c.mustEnd("exit status 0")
	if got := c.line("traceme"); !strings.HasSuffix(got, "allowed=1") {
		t.Error(got)
	}
	proven(t, log)

	inner := []string{built.vmblame, "run", "-q", "-o", "/dev/null", "true"}
	c = launch(t, log, inner...)
	refused(t, c, "exit status 125", fmt.Sprintf("already traced by pid %d (vmblame)", c.pid))
	proven(t, log)
	c = begin(t, append([]string{"strace", "-qq", "-f", "-o", "/dev/null"}, inner...))
	refused(t, c, "exit status 125", fmt.Sprintf("already traced by pid %d (strace)", c.pid))
	// A tracer that follows no children is in nobody's way.
	c = begin(t, append([]string{"strace", "-qq", "-o", "/dev/null"}, inner...))
	c.mustEnd("exit status 0")
}

// With a pid namespace of its own the program has two numbers: the log has ours, and its own beside.
func TestPidNamespace(t *testing.T) {
	testenv.Need(t, "root", "unshare")
	log := filepath.Join(t.TempDir(), "log.jsonl")
	c := launch(t, log, "unshare", "--pid", "--fork", "--mount-proc", prog(t, "exec_thread"))
	c.mustEnd("exit status 0")
	s := proven(t, log)
	inner := make(map[int]bool)
	for _, th := range s.threads {
		if th.NsTID != 0 {
			inner[th.NsTID] = true
			if th.TID < 10 && th.NsTID == th.TID {
				t.Errorf("%+v", th)
			}
		}
	}
	in := bufio.NewScanner(strings.NewReader(c.text("account")))
	found := 0
	for in.Scan() {
		var name string
		var pid, tid int
		if _, err := fmt.Sscanf(in.Text(), "account version=1 program=%s pid=%d tid=%d", &name, &pid, &tid); err == nil {
			found++
			if pid != 1 || !inner[tid] {
				t.Errorf("%s; inner numbers %v", in.Text(), inner)
			}
		}
	}
	if found == 0 || !inner[1] {
		t.Errorf("%d sections, inner numbers %v", found, inner)
	}
}

// From the outside, a process in a container: namespaces and a root of its own.
func TestAttachIntoContainer(t *testing.T) {
	testenv.Need(t, "root")
	dir := t.TempDir()
	script := `set -e; mkdir -p root/lib root/lib64 root/usr root/proc root/bin; cp "$1" root/storm
		for d in lib lib64 usr bin; do mount --rbind /$d root/$d; done; mount -t proc proc root/proc
		exec chroot root /storm 4 0 1`
	c := begin(t, []string{"unshare", "--mount", "--pid", "--fork", "--ipc", "--uts", "--net", "sh", "-c", script, "sh", prog(t, "storm")},
		func(cmd *exec.Cmd) {
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "VMBLAME_ACCOUNT_FD=1")
		})
	eventually(t, "storm is ready", func() bool { return strings.Contains(c.text("stdout"), "\nready ") || c.over() })
	kids := childrenOf(c.pid)
	if len(kids) != 1 {
		t.Fatalf("%v: %s", kids, c.text("stderr"))
	}
	log := filepath.Join(t.TempDir(), "log.jsonl")
	attach(t, log, "-q", "--duration", "50ms", kids[0]).mustEnd("exit status 0")
	mustBeFree(t, kids[0])
	s := proven(t, log)
	if len(s.spaces) != 1 || s.spaces[0].PID != kids[0] || s.spaces[0].Exe == "" || s.end.Events == 0 {
		t.Errorf("%+v, %+v", s.spaces, *s.end)
	}
	if s.stacks == 0 || s.complete*100 < s.stacks*99 {
		t.Errorf("%d of %d stacks are complete: %v", s.complete, s.stacks, s.reasons)
	}
	for _, th := range s.threads {
		if th.NsTID == 0 || th.NsTID == th.TID {
			t.Errorf("%+v", th)
		}
	}
}
