package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// programFaults are what programs do that a tracer may not bear, or may not hide; each has a program of its own, which says what
// was done to it.
var programFaults = []fault{
	{name: "run: ignored signals while calls wait", part: 10, run: func(r *round) {
		r.says(r.launch(r.one(nil, "--no-seccomp"), prog(r.t, "ignored_timeout")), "exit status 0", "bad 0\n")
		r.look(false)
	}},
	{name: "run: its own filter traps or kills a call", part: 30, run: func(r *round) {
		call := r.pick("mmap", "munmap", "mprotect", "mremap", "brk")
		argv, end, want := []string{prog(r.t, "trap_filter"), call}, "exit status 0", fmt.Sprintf("start\n%s: -1, traps 1\n", call)
		if r.rng.IntN(2) == 0 {
			argv, end, want = append(argv, "kill"), "signal: bad system call", "start\n"
		}
		r.says(r.launch(r.one(nil, "--no-seccomp"), argv...), end, want)
		r.look(false)
		r.noDrift()
	}},
	{name: "run: a signal to the process group", part: 40, run: func(r *round) {
		sig := r.pick("1", "3", "4", "5", "6", "7", "8", "10", "11", "12", "13", "14", "15", "16", "24", "25", "26", "27", "29", "30", "31", "34", "64")
		r.says(r.launch(nil, prog(r.t, "group_signal"), sig), "exit status 0", fmt.Sprintf("handled %s\ndone\n", sig))
		r.look(false)
	}},
	{name: "run: process 1 of a namespace crashes", part: 10, needs: "root", run: func(r *round) {
		r.says(r.launch(r.one(nil, "--no-seccomp"), prog(r.t, "ns_init_segv")), "exit status 0", "init of the namespace: signal 11, exit -1\n")
		r.look(false)
	}},
	{name: "run: it traces its own children", part: 10, run: func(r *round) {
		r.says(r.launch([]string{"--no-seccomp", "--no-follow"}, prog(r.t, "child_tracer"), r.pick("attach", "seize")),
			"exit status 0", "EPERM 0, other errno 0, wrong status 0 (0)\n")
		r.look(false)
	}},
	{name: "run: 50 execs with 1 MiB of arguments", part: 10, run: func(r *round) {
		r.says(r.launch(nil, prog(r.t, "big_argv"), "50"), "exit status 0", "done\n")
		r.look(false)
		if st, err := os.Stat(r.log); r.broken == "" && (err != nil || st.Size() > 2<<20) {
			r.broken = fmt.Sprintf("it is long: %d bytes, %v", st.Size(), err)
		}
	}},
	{name: "run: it asks for its seccomp mode", part: 20, run: func(r *round) {
		r.says(r.launch(r.one(nil, "--no-seccomp"), prog(r.t, "seccomp_mode")), "exit status 0", "0\nchild 0\n2\n")
		r.look(false)
	}},
	{name: "run: descriptors 0 to 2 are closed", part: 30, run: func(r *round) {
		how, want, next := "exec 3>said", "closed:", 4
		for fd, closed := range r.rng.Perm(8)[:3] {
			if closed%2 != 0 {
				how += fmt.Sprintf(" %d>&-", fd)
				want += fmt.Sprintf(" %d", fd)
				next = min(next, fd)
			}
		}
		r.says(under(how, r.launch(nil, prog(r.t, "closed_descriptors"))), "exit status 0", "")
		if said, _ := os.ReadFile(filepath.Join(r.dir, "said")); r.harm == "" && string(said) != fmt.Sprintf("%s; the next is %d\n", want, next) {
			r.harm = fmt.Sprintf("%s: it said %q", how, said)
		}
		r.look(false)
	}},
	{name: "run: a daemon outlives it", part: 10, run: func(r *round) {
		r.says(r.launch(nil, prog(r.t, "daemon"), "said"), "exit status 6", "")
		r.daemonUnharmed()
		r.look(false)
	}},
	{name: "run --until-exit: a daemon outlives it", part: 10, alone: true, run: func(r *round) {
		r.says(r.launch([]string{"--until-exit"}, prog(r.t, "daemon"), "said"), "exit status 6", "")
		r.daemonUnharmed()
		r.look(false)
	}},
	{name: "run: a program that nobody may read", part: 10, needs: "root", run: func(r *round) {
		dir, err := os.MkdirTemp("", "vmblame-secret-") // others may not enter t.TempDir
		if err != nil {
			r.t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		secret := filepath.Join(dir, "secret")
		text, err := os.ReadFile("/bin/true")
		if err == nil {
			err = os.Chmod(dir, 0o777)
		}
		if err == nil {
			err = os.WriteFile(secret, text, 0o711)
		}
		if err != nil {
			r.t.Fatal(err)
		}
		r.dir, r.log = dir, filepath.Join(dir, "log.jsonl")
		r.says(slices.Concat([]string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, r.launch(nil, secret)), "exit status 0", "")
		r.look(false)
	}},
	{name: "attach: its cgroup is out of memory", part: 10, needs: "memory cgroup", run: func(r *round) {
		group, err := newMemoryGroup(filepath.Base(filepath.Dir(r.dir))+filepath.Base(r.dir), 2<<20+r.rng.Int64N(12<<20))
		if err != nil {
			r.t.Fatal(err)
		}
		defer group.remove()
		target, out := r.target(100)
		v := r.tool(under("echo $$ >"+group.procs(), r.attach(target.Process.Pid))...)
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		v.Wait()
		r.steady(target, out)
		r.look(true)
	}},
}

// pick chooses one of the words.
func (r *round) pick(words ...string) string { return words[r.rng.IntN(len(words))] }

// one chooses between no flag and one.
func (r *round) one(none []string, flag string) []string {
	if r.rng.IntN(2) == 0 {
		return none
	}
	return []string{flag}
}

// says runs a command and holds its end, and what it says, against what both are when nothing happens.
func (r *round) says(argv []string, end, want string) {
	v, out := r.tool(argv...), new(bytes.Buffer)
	v.Stdout = out
	if err := v.Start(); err != nil {
		r.t.Fatal(err)
	}
	_ = v.Wait()
	if got := v.ProcessState.String(); got != end || out.String() != want {
		r.harm = fmt.Sprintf("%v: %s, said %q", argv, got, out)
	}
}

// noDrift says that the ledger should not have met anything that no call explains. Of strace's log it is a call that did not happen and that
// it tells the result of.
func (r *round) noDrift() {
	if !r.strace {
		if r.untrue == "" && r.drifts != 0 {
			r.untrue = fmt.Sprintf("%d drifts", r.drifts)
		}
		return
	}
	text, _ := os.ReadFile(r.log)
	for line := range strings.Lines(string(text)) {
		// The kernel leaves the call's number where the result would be.
		for call, number := range map[string]string{"mmap": "0x9", "munmap": "11", "mprotect": "10", "mremap": "0x19", "brk": "0xc"} {
			if strings.Contains(line, " "+call+"(") && strings.HasSuffix(strings.TrimSpace(line), "= "+number) {
				r.broken = "it tells a result of a call that did not happen: " + line
			}
		}
	}
}

// daemonUnharmed waits for what the daemon says when it ends.
func (r *round) daemonUnharmed() {
	var said []byte
	for range 3000 {
		said, _ = os.ReadFile(filepath.Join(r.dir, "said"))
		if len(said) > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if r.harm == "" && string(said) != "unharmed\n" {
		r.harm = fmt.Sprintf("the daemon said %q", said)
	}
}

// memoryGroup is a memory cgroup of a test's own.
type memoryGroup string

// newMemoryGroup makes one with a limit in bytes, of version 2 or 1.
func newMemoryGroup(name string, limit int64) (memoryGroup, error) {
	for _, v := range []struct{ root, limit string }{{"/sys/fs/cgroup", "memory.max"}, {"/sys/fs/cgroup/memory", "memory.limit_in_bytes"}} {
		g := memoryGroup(filepath.Join(v.root, "vmblame-"+name))
		if err := os.Mkdir(string(g), 0o755); err != nil {
			continue
		}
		if _, err := os.Stat(g.procs()); err != nil { // a plain directory: where version 1 is mounted its root is a tmpfs
			g.remove()
			continue
		}
		if err := os.WriteFile(filepath.Join(string(g), v.limit), []byte(strconv.FormatInt(limit, 10)), 0); err == nil {
			_ = os.WriteFile(filepath.Join(string(g), "memory.swap.max"), []byte("0"), 0) // where there is swap
			return g, nil
		}
		g.remove()
	}
	return "", fmt.Errorf("no memory cgroup can be made: %w", syscall.EPERM)
}

func (g memoryGroup) procs() string { return filepath.Join(string(g), "cgroup.procs") }

// remove removes the group once nobody is in it.
func (g memoryGroup) remove() { _ = os.Remove(string(g)) }
