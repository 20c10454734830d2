package e2e

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
	"time"
)

// child is a process that a test has started, with a process group of its own. It is reaped by ended, or
// killed with all of its group when the test is over.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	pid    int
	dir    string
	reaped chan struct{}
	left   bool // it left others in its process group; valid once reaped is closed
}

// begin starts argv. Its output goes to files; its account, where it writes one, too.
func begin(t *testing.T, argv []string, change ...func(*exec.Cmd)) *child {
	t.Helper()
	need(t, argv)
	c := &child{t: t, dir: t.TempDir(), reaped: make(chan struct{})}
	argv = withBackend(argv)
	c.cmd = exec.Command(argv[0], argv[1:]...)
	c.cmd.Dir = c.dir
	c.cmd.Env = append(os.Environ(), "VMBLAME_ACCOUNT="+c.file("account"))
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	for _, f := range change {
		f(c.cmd)
	}
	if c.cmd.Stdout == nil {
		c.cmd.Stdout = c.create("stdout")
	}
	if c.cmd.Stderr == nil {
		c.cmd.Stderr = c.create("stderr")
	}
	err := c.cmd.Start()
	for _, w := range []any{c.cmd.Stdout, c.cmd.Stderr} {
		if f, ok := w.(*os.File); ok {
			f.Close()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	c.pid = c.cmd.Process.Pid
	go func() {
		_ = c.cmd.Wait()
		c.left = syscall.Kill(-c.pid, 0) == nil
		close(c.reaped)
	}()
	t.Cleanup(func() {
		// Once it is reaped its number may be somebody else's, but for what it left in its process group.
		over := c.over()
		if !over {
			_ = syscall.Kill(c.pid, syscall.SIGKILL)
		}
		if !over || c.left {
			_ = syscall.Kill(-c.pid, syscall.SIGKILL)
		}
		<-c.reaped
	})
	return c
}

func (c *child) file(name string) string { return filepath.Join(c.dir, name) }

func (c *child) create(name string) *os.File {
	f, err := os.Create(c.file(name))
	if err != nil {
		c.t.Fatal(err)
	}
	return f
}

// text returns what stands in one of its files now.
func (c *child) text(name string) string {
	text, _ := os.ReadFile(c.file(name))
	return string(text)
}

// line returns the first whole line of its account that begins with word, "" for none.
func (c *child) line(word string) string {
	for line := range strings.Lines(c.text("account")) {
		if strings.HasPrefix(line, word+" ") && strings.HasSuffix(line, "\n") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// over reports whether it has ended.
func (c *child) over() bool {
	select {
	case <-c.reaped:
		return true
	default:
		return false
	}
}

// ended waits for its end and returns it: "exit status 0", "signal: killed".
func (c *child) ended() string {
	c.t.Helper()
	select {
	case <-c.reaped:
		return c.cmd.ProcessState.String()
	case <-time.After(patience):
		dump := stacksOf(c.pid)
		_ = syscall.Kill(-c.pid, syscall.SIGKILL)
		c.t.Fatalf("%v hangs\n%s\nits standard error: %s", c.cmd.Args, dump, c.text("stderr"))
		return ""
	}
}

// mustEnd waits for an end of this kind.
func (c *child) mustEnd(want string) {
	c.t.Helper()
	if got := c.ended(); got != want {
		c.t.Errorf("%v: %s, want %s; its standard error: %s", c.cmd.Args, got, want, c.text("stderr"))
	}
}

func (c *child) signal(sig syscall.Signal) {
	c.t.Helper()
	if err := syscall.Kill(c.pid, sig); err != nil {
		c.t.Fatalf("send %v to %v: %v", sig, c.cmd.Args, err)
	}
}

// patience is how long anything may take before it counts as hung.
const patience = 3 * time.Minute

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

// thread is what /proc tells of one.
type thread struct {
	tid, tracer int
	state       byte // 'R', 'S', 'T', 't' …
}

// threadsOf lists the threads of a process; none when it has ended. While a thread calls execve, all that were listed may be gone.
func threadsOf(pid int) []thread {
	for {
		if list := threadsNow(pid); len(list) > 0 || syscall.Kill(pid, 0) != nil {
			return list
		}
	}
}

func threadsNow(pid int) (list []thread) {
	dirs, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	for _, dir := range dirs {
		state, tracer := field(dir, "State"), field(dir, "TracerPid")
		if state == "" || tracer == "" {
			continue
		}
		th := thread{state: state[0]}
		th.tid, _ = strconv.Atoi(filepath.Base(dir))
		th.tracer, _ = strconv.Atoi(tracer)
		list = append(list, th)
	}
	return list
}

// field reads one line of DIR/status, "" where there is none.
func field(dir, key string) string {
	text, _ := os.ReadFile(dir + "/status")
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte(key+":")); ok {
			return strings.TrimSpace(string(rest))
		}
	}
	return ""
}

// tracedBy reports whether every thread of a process is traced by tracer.
func tracedBy(pid, tracer int) bool {
	list := threadsOf(pid)
	for _, th := range list {
		if th.tracer != tracer && th.state != 'Z' && th.state != 'X' {
			return false
		}
	}
	return len(list) > 0
}

// allIn reports whether every thread of a process is in one of these states.
func allIn(pid int, states string) bool {
	list := threadsOf(pid)
	for _, th := range list {
		if strings.IndexByte(states, th.state) < 0 {
			return false
		}
	}
	return len(list) > 0
}

// mustBeFree checks that no thread of a process is traced, or stopped.
func mustBeFree(t *testing.T, pid int) {
	t.Helper()
	list := threadsOf(pid)
	if len(list) == 0 {
		t.Errorf("process %d has ended", pid)
	}
	for _, th := range list {
		if th.tracer != 0 || th.state == 'T' || th.state == 't' {
			t.Errorf("thread %d of %d: state %c, tracer %d", th.tid, pid, th.state, th.tracer)
		}
	}
}

// ignoresTrap returns a process that ignores SIGTRAP, the one given or a child of it; 0 where none does. None of our programs does by
// itself: vmblame has left it so.
func ignoresTrap(pid int) int {
	list := []int{pid}
	for _, th := range threadsOf(pid) {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, th.tid))
		for _, child := range strings.Fields(string(children)) {
			n, _ := strconv.Atoi(child)
			list = append(list, n)
		}
	}
	for _, p := range list {
		dir := fmt.Sprint("/proc/", p)
		if ignored, _ := strconv.ParseUint(field(dir, "SigIgn"), 16, 64); ignored>>(syscall.SIGTRAP-1)&1 != 0 && field(dir, "TracerPid") == "0" {
			return p
		}
	}
	return 0
}

// stacksOf tells where the threads of a process and of its children are, for the failure of a test.
func stacksOf(pid int) string {
	var b strings.Builder
	for _, p := range append([]int{pid}, childrenOf(pid)...) {
		for _, th := range threadsOf(p) {
			wchan, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/wchan", p, th.tid))
			fmt.Fprintf(&b, "%d/%d %s: %c, tracer %d, %s\n", p, th.tid, field(fmt.Sprintf("/proc/%d", th.tid), "Name"), th.state, th.tracer, wchan)
		}
	}
	return b.String()
}

// childrenOf lists the children of all threads of a process.
func childrenOf(pid int) (list []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, name := range files {
		text, _ := os.ReadFile(name)
		for _, word := range strings.Fields(string(text)) {
			if n, err := strconv.Atoi(word); err == nil {
				list = append(list, n)
			}
		}
	}
	return list
}

// traceesOf lists the processes that a process traces.
func traceesOf(pid int) (list []int) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if field(dir, "TracerPid") == strconv.Itoa(pid) {
			n, _ := strconv.Atoi(filepath.Base(dir))
			list = append(list, n)
		}
	}
	return list
}

// prog is the path of a traced program.
// isZombie reads the state in a line of /proc/PID/stat.
func isZombie(stat string) bool {
	rest := stat[strings.LastIndexByte(stat, ')')+1:]
	return strings.HasPrefix(rest, " Z") || strings.HasPrefix(rest, " X")
}
