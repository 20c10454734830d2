package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// whileAttached runs a target, attaches to it, and has something done to vmblame.
func whileAttached(do func(r *round, vmblame *exec.Cmd), mayLack bool) func(*round) {
	return func(r *round) {
		target, out := r.target(100)
		v := r.tool(r.attach(target.Process.Pid)...)
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.later(120 * time.Millisecond)
		do(r, v)
		v.Wait()
		r.steady(target, out)
		_, err := os.Stat(r.log)
		// The target had ended before vmblame came; strace has made its log by then.
		tooLate := v.ProcessState.ExitCode() == 1 && (err != nil || r.strace)
		r.look(mayLack || tooLate)
	}
}

// whileRun runs a target under vmblame, which has to end as the target does.
func whileRun(rounds int, mayLack bool, flags []string, do func(r *round, vmblame *exec.Cmd)) func(*round) {
	return func(r *round) {
		v := r.tool(r.launch(flags, prog(r.t, "steady"), strconv.Itoa(rounds))...)
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

// faults are those that happen to vmblame, its log or its readers while a program goes on that notices what is done to it.
var faults = append([]fault{
	{name: "attach: vmblame is killed", part: 110, run: whileAttached(signalled(syscall.SIGKILL), true)},
	{name: "attach: Ctrl-C", part: 60, run: whileAttached(signalled(syscall.SIGINT), true)},
	{name: "attach: SIGTERM", part: 40, run: whileAttached(signalled(syscall.SIGTERM), true)},
	{name: "attach: SIGHUP", part: 40, run: whileAttached(signalled(syscall.SIGHUP), true)},
	{name: "attach: Ctrl-\\", part: 40, run: whileAttached(signalled(syscall.SIGQUIT), true)},
	{name: "attach: vmblame is stopped for a while", part: 45, run: whileAttached(func(r *round, v *exec.Cmd) {
		v.Process.Signal(syscall.SIGSTOP)
		r.later(60 * time.Millisecond)
		v.Process.Signal(syscall.SIGCONT)
	}, false)},
	{name: "attach: the target is killed", part: 60, run: func(r *round) {
		target, _ := r.target(10000)
		v := r.tool(r.attach(target.Process.Pid)...)
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.later(120 * time.Millisecond)
		target.Process.Kill()
		target.Wait()
		v.Wait()
		r.look(true) // it may have been killed before vmblame came
	}},
	{name: "run: nothing happens", part: 30, run: whileRun(50, false, nil, func(*round, *exec.Cmd) {})},
	{name: "run: the program is killed", part: 60, run: func(r *round) {
		v := r.tool(r.launch(nil, "sh", "-c", `kill -9 $$ & exec "$0" 10000`, prog(r.t, "steady"))...)
		err := v.Run()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			r.harm = fmt.Sprint(err)
		}
		r.look(false)
	}},
	{name: "run: Ctrl-C to vmblame alone", part: 40, run: whileRun(50, false, nil, func(r *round, v *exec.Cmd) {
		r.written() // before that Ctrl-C ends vmblame as any program that has not begun
		r.later(60 * time.Millisecond)
		v.Process.Signal(syscall.SIGINT)
	})},
	{name: "run: nobody reads standard error", part: 40, spoken: true, run: func(r *round) {
		reader, w, err := os.Pipe()
		if err != nil {
			r.t.Fatal(err)
		}
		defer reader.Close()
		defer w.Close()
		v := r.tool(r.launch([]string{"--live"}, prog(r.t, "steady"), "60")...)
		out := new(bytes.Buffer)
		v.Stdout, v.Stderr = out, w
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		if !r.strace {
			r.look(false)
		}
	}},
	{name: "run: the log is deleted", part: 40, run: whileRun(80, true, nil, func(r *round, v *exec.Cmd) {
		r.written()
		r.later(80 * time.Millisecond)
		os.Remove(r.log)
	})},
	{name: "run: the log is truncated", part: 40, run: whileRun(80, true, nil, func(r *round, v *exec.Cmd) {
		r.written()
		r.later(80 * time.Millisecond)
		os.Truncate(r.log, 0)
		os.Remove(r.log) // what is left has no beginning
	})},
	{name: "run: the log reaches its size limit", part: 40, run: func(r *round) {
		v := r.tool(under(fmt.Sprintf("ulimit -f %d", 20+r.rng.IntN(200)), r.launch(nil, prog(r.t, "steady"), "60"))...)
		out := new(bytes.Buffer)
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		r.look(true)
	}},
	{name: "run: the log is a pipe that nobody reads", part: 20, run: func(r *round) {
		if err := syscall.Mkfifo(r.log, 0o600); err != nil {
			r.t.Fatal(err)
		}
		in, err := os.OpenFile(r.log, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			r.t.Fatal(err)
		}
		defer in.Close()
		v := r.tool(r.launch(nil, prog(r.t, "steady"), "60")...)
		out := new(bytes.Buffer)
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
	}},
	{name: "run: few descriptors", part: 20, run: func(r *round) {
		v := r.tool(under("ulimit -n 24", r.launch(nil, prog(r.t, "steady"), "40"))...)
		out := new(bytes.Buffer)
		v.Stdout = out
		if err := v.Start(); err != nil {
			r.t.Fatal(err)
		}
		r.steady(v, out)
		r.look(false)
	}},
}, slices.Concat(programFaults, readerFaults)...)
