package e2e

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// A fault is something that happens to vmblame, to its readers, to its log or to what it records.
type fault struct {
	name string
	part int // of a thousand faults, how many are of this kind
	// run makes the fault happen once, at a moment that rng chooses, and fills the result.
	run func(r *round)
}

// round is one fault and what came of it.
type round struct {
	t      *testing.T
	rng    *rand.Rand
	dir    string
	log    string
	harm   string // what happened to the target that should not have
	broken string // what is wrong with the log
	untrue string // what in it cannot be, or is silently unproven
}

// target starts the program that notices what is done to it, on its own.
func (r *round) target(rounds int) (*exec.Cmd, *bytes.Buffer) {
	cmd, out := exec.Command(prog(r.t, "steady"), strconv.Itoa(rounds)), new(bytes.Buffer)
	cmd.Stdout = out
	cmd.Dir = r.dir
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	return cmd, out
}

// vmblame prepares a command of its own process group.
func (r *round) vmblame(args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, built.vmblame, args...)
	cmd.Dir = r.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// later waits for up to most.
func (r *round) later(most time.Duration) { time.Sleep(time.Duration(r.rng.Int64N(int64(most)))) }

// steady holds how a target ended against how it ends when nothing happens to it.
func (r *round) steady(cmd *exec.Cmd, out *bytes.Buffer) {
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || !strings.HasSuffix(out.String(), "steady\n") {
		r.harm = fmt.Sprintf("%v: %q", cmd.ProcessState, out.String())
	}
}

// look reads the log. Where it may lack its end, or lines, that is no problem of it.
func (r *round) look(mayLack bool) {
	notes, spaces, checks := 0, 0, uint64(0)
	if st, err := os.Stat(r.log); err == nil && st.Size() == 0 && mayLack {
		return // it ended before it began
	}
	in, err := eventlog.Open(r.log)
	if err != nil {
		if !mayLack || !errors.Is(err, os.ErrNotExist) {
			r.broken = err.Error()
		}
		return
	}
	defer in.Close()
	for err == nil {
		var rec eventlog.Record
		rec, err = in.Next()
		switch rec := rec.(type) {
		case *eventlog.Note:
			if rec.Code == "unverified" {
				notes++
			}
		case *eventlog.Space:
			spaces++
		case *eventlog.End:
			checks = rec.Checks
			if rec.Lost > 0 && !mayLack {
				r.broken = fmt.Sprintf("%d events are lost", rec.Lost)
			}
		}
	}
	var line *eventlog.LineError
	switch {
	case errors.Is(err, eventlog.ErrCut) && !mayLack, errors.As(err, &line):
		r.broken = err.Error()
	case !mayLack && int(checks)+notes < spaces:
		r.untrue = fmt.Sprintf("%d spaces, %d checks, %d notes", spaces, checks, notes)
	}
	if err := eventlog.CheckFile(r.log, func(p eventlog.Problem) {
		if r.untrue == "" && !p.Cut && !strings.Contains(p.Text, "are lost") {
			r.untrue = p.String()
		}
	}); err != nil {
		r.broken = err.Error()
	}
}

// whileAttached runs a target, attaches to it, and has something done to vmblame.
func whileAttached(do func(r *round, vmblame *exec.Cmd), mayLack bool) func(*round) {
	return func(r *round) {
		target, out := r.target(100)
		v := r.vmblame("attach", "-q", "-o", r.log, strconv.Itoa(target.Process.Pid))
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.later(120 * time.Millisecond)
		do(r, v)
		v.Wait()
		r.steady(target, out)
		_, err := os.Stat(r.log)
		tooLate := err != nil && v.ProcessState.ExitCode() == 1 // the target had ended before vmblame came
		r.look(mayLack || tooLate)
	}
}

// whileRun runs a target under vmblame, which has to end as the target does.
func whileRun(rounds int, mayLack bool, flags []string, do func(r *round, vmblame *exec.Cmd)) func(*round) {
	return func(r *round) {
		args := append([]string{"run", "-q", "-o", r.log}, flags...)
		v := r.vmblame(append(args, prog(r.t, "steady"), strconv.Itoa(rounds))...)
		out := new(bytes.Buffer)
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		do(r, v)
		r.steady(v, out)
		r.look(mayLack)
	}
}

func signalled(sig syscall.Signal) func(r *round, v *exec.Cmd) {
	return func(r *round, v *exec.Cmd) { v.Process.Signal(sig) }
}

// written waits until something of the log is there.
func (r *round) written() bool {
	for range 2000 {
		if st, err := os.Stat(r.log); err == nil && st.Size() > 0 {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

var faults = []fault{
	{"attach: vmblame is killed", 200, whileAttached(signalled(syscall.SIGKILL), true)},
	{"attach: Ctrl-C", 100, whileAttached(signalled(syscall.SIGINT), true)},
	{"attach: SIGTERM", 60, whileAttached(signalled(syscall.SIGTERM), true)},
	{"attach: SIGHUP", 60, whileAttached(signalled(syscall.SIGHUP), true)},
	{"attach: Ctrl-\\", 60, whileAttached(signalled(syscall.SIGQUIT), true)},
	{"attach: vmblame is stopped for a while", 60, whileAttached(func(r *round, v *exec.Cmd) {
		v.Process.Signal(syscall.SIGSTOP)
		r.later(60 * time.Millisecond)
		v.Process.Signal(syscall.SIGCONT)
	}, false)},
	{"attach: the target is killed", 60, func(r *round) {
		target, _ := r.target(10000)
		v := r.vmblame("attach", "-q", "-o", r.log, strconv.Itoa(target.Process.Pid))
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.later(120 * time.Millisecond)
		target.Process.Kill()
		target.Wait()
		v.Wait()
		r.look(true) // it may have been killed before vmblame came
	}},
	{"run: nothing happens", 40, whileRun(50, false, nil, func(*round, *exec.Cmd) {})},
	{"run: the program is killed", 80, func(r *round) {
		v := r.vmblame("run", "-q", "-o", r.log, "sh", "-c", `kill -9 $$ & exec "$0" 10000`, prog(r.t, "steady"))
		err := v.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			r.harm = fmt.Sprint(err)
		}
		r.look(false)
	}},
	{"run: Ctrl-C to vmblame alone", 40, whileRun(50, false, nil, func(r *round, v *exec.Cmd) {
		r.written() // before that Ctrl-C ends vmblame as any program that has not begun
		r.later(60 * time.Millisecond)
		v.Process.Signal(syscall.SIGINT)
	})},
	{"run: nobody reads standard error", 40, func(r *round) {
		reader, w, err := os.Pipe()
		if err != nil {
			r.t.Fatal(err)
		}
		defer reader.Close()
		defer w.Close()
		v := r.vmblame("run", "--live", "-o", r.log, prog(r.t, "steady"), "60")
		out := new(bytes.Buffer)
		v.Stdout, v.Stderr = out, w
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		r.look(false)
	}},
	{"run: the log is deleted", 50, whileRun(80, true, nil, func(r *round, v *exec.Cmd) {
		r.written()
		r.later(80 * time.Millisecond)
		os.Remove(r.log)
	})},
	{"run: the log is truncated", 50, whileRun(80, true, nil, func(r *round, v *exec.Cmd) {
		r.written()
		r.later(80 * time.Millisecond)
		os.Truncate(r.log, 0)
		os.Remove(r.log) // what is left has no beginning
	})},
	{"run: the log reaches its size limit", 50, func(r *round) {
		v := r.vmblame("run", "-q", "-o", r.log, prog(r.t, "steady"), "60")
		v.Path, v.Args = "/bin/sh", append([]string{"sh", "-c", fmt.Sprintf(`ulimit -f %d; exec "$0" "$@"`, 20+r.rng.IntN(200)), built.vmblame}, v.Args[1:]...)
		out := new(bytes.Buffer)
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		r.look(true)
	}},
	{"run: the log is a pipe that nobody reads", 20, func(r *round) {
		if err := syscall.Mkfifo(r.log, 0o600); err != nil {
			r.t.Fatal(err)
		}
		in, err := os.OpenFile(r.log, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		defer in.Close()
		v := r.vmblame("run", "-q", "-o", r.log, prog(r.t, "steady"), "60")
		out := new(bytes.Buffer)
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
	}},
	{"run: few descriptors", 30, func(r *round) {
		v := r.vmblame("run", "-q", "-o", r.log, prog(r.t, "steady"), "40")
		v.Path, v.Args = "/bin/sh", append([]string{"sh", "-c", `ulimit -n 24; exec "$0" "$@"`, built.vmblame}, v.Args[1:]...)
		out := new(bytes.Buffer)
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		r.look(false)
	}},
}

var howMany = flag.Int("faults", 0, "how many faults TestReliability makes (0: 200 where CI is set, else 50 or so, one of each kind at least)")

// TestReliability makes faults happen, and prints what came of them (make reliability: 2000 of them).
func TestReliability(t *testing.T) {
	testenv.Need(t, "ptrace")
	testenv.Need(t, "attach")
	all := *howMany
	if all == 0 {
		all = 50
		if testenv.CI() {
			all = 200
		}
	}
	seed := uint64(all)
	fmt.Printf("%-42s %6s %9s %10s %12s\n", "fault", "times", "unharmed", "log whole", "ledger true")
	times, unharmed, whole, right := 0, 0, 0, 0
	for i := range faults {
		f := &faults[i]
		n := max(1, all*f.part/1000)
		a, b, c := 0, 0, 0
		for k := range n {
			dir := t.TempDir()
			r := &round{t: t, rng: rand.New(rand.NewPCG(seed, uint64(i*100000+k))), dir: dir, log: filepath.Join(dir, "log.jsonl")}
			f.run(r)
			for _, x := range []struct {
				what string
				sum  *int
			}{{r.harm, &a}, {r.broken, &b}, {r.untrue, &c}} {
				if x.what == "" {
					*x.sum++
				} else {
					t.Errorf("%s, %d: %s", f.name, k, x.what)
				}
			}
		}
		fmt.Printf("%-42s %6d %9d %10d %12d\n", f.name, n, a, b, c)
		times, unharmed, whole, right = times+n, unharmed+a, whole+b, right+c
	}
	fmt.Printf("%-42s %6d %9d %10d %12d\n", "all", times, unharmed, whole, right)
}
