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
	"slices"
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
	// alone reports whether strace can do nothing of the kind.
	alone bool
	// spoken reports whether strace has no log in it: it says all on standard error.
	spoken bool
	// needs is what the machine must have for it, "" for nothing beside ptrace.
	needs string
}

// round is one fault and what came of it.
type round struct {
	t      *testing.T
	strace bool // strace is what it happens to, in vmblame's place
	rng    *rand.Rand
	dir    string
	log    string
	harm   string // what happened to the target that should not have
	broken string // what is wrong with the log
	untrue string // what in it cannot be, or is silently unproven
	drifts uint64 // what changed without a call, as the log says
	cause  string // of its end
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

// straceCalls are the calls that strace follows: those that vmblame follows.
const straceCalls = "trace=%memory,shmat,shmdt,io_setup,io_destroy,execve,execveat,clone,clone3,fork,vfork,exit_group"

// tool prepares a command with a process group of its own, which is killed where it hangs: strace's after less time, for
// there are faults by which it does hang.
func (r *round) tool(argv ...string) *exec.Cmd {
	bound := patience
	if r.strace {
		bound = 20 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	r.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = r.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// attach is the command that attaches to a process.
func (r *round) attach(pid int) []string {
	if r.strace {
		return []string{"strace", "-f", "-q", "-e", straceCalls, "-o", r.log, "-p", strconv.Itoa(pid)}
	}
	return []string{built.vmblame, "attach", "-q", "-o", r.log, strconv.Itoa(pid)}
}

// launch is the command that runs a program. Of flags strace has --live, which says it on standard error, and --no-follow.
func (r *round) launch(flags []string, argv ...string) []string {
	if !r.strace {
		if !slices.Contains(flags, "--live") {
			flags = append([]string{"-q"}, flags...)
		}
		return slices.Concat([]string{built.vmblame, "run", "-o", r.log}, flags, argv)
	}
	cmd := []string{"strace", "-q", "-e", straceCalls}
	if !slices.Contains(flags, "--no-follow") {
		cmd = append(cmd, "-f")
	}
	if !slices.Contains(flags, "--live") {
		cmd = append(cmd, "-o", r.log)
	}
	return slices.Concat(cmd, argv)
}

// under prepends a shell's line to a command, which it executes.
func under(shell string, argv []string) []string {
	return slices.Concat([]string{"sh", "-c", shell + `; exec "$@"`, "sh"}, argv)
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
	if r.strace {
		r.lookAtText(mayLack)
		return
	}
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
			checks, r.drifts, r.cause = rec.Checks, rec.Drifts, rec.Cause
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

// lookAtText reads a log of strace's: it is whole if its last line is.
func (r *round) lookAtText(mayLack bool) {
	text, err := os.ReadFile(r.log)
	switch {
	case err != nil || len(text) == 0:
		if !mayLack {
			r.broken = fmt.Sprintf("there is none: %v", err)
		}
	case text[len(text)-1] != '\n':
		r.broken = "it is cut within a line"
	}
}

var howMany = flag.Int("faults", 0, "how many faults TestReliability makes (0: 200 where CI is set, else one of each kind)")

// beside is of how many faults one is repeated with strace in vmblame's place.
const beside = 10

// TestReliability makes faults happen, and prints what came of them, and beside it what came of strace by some of them (make
// reliability: 2000 of them).
func TestReliability(t *testing.T) {
	testenv.Need(t, "ptrace")
	testenv.Need(t, "attach")
	all := *howMany
	if all == 0 {
		all = testenv.Often(0, 200)
	}
	const row = "%-42s %6s %9s %10s %12s %10s %10s\n"
	results := make([]made, len(faults))
	t.Run("faults", func(t *testing.T) { // side by side: mostly they wait
		for i := range faults {
			f := &faults[i]
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				switch f.needs {
				case "":
				case "root":
					testenv.Need(t, f.needs)
				default:
					testenv.Optional(t, f.needs)
				}
				m := &results[i]
				m.ours = f.repeat(t, i, max(1, all*f.part/1000), false)
				if k := m.ours.times / beside; k > 0 && !f.alone && testenv.Has("strace") {
					m.theirs = f.repeat(t, i, k, true)
				}
			})
		}
	})
	fmt.Printf(row, "", "", "", "", "", "strace:", "its log")
	fmt.Printf(row, "fault", "times", "unharmed", "log whole", "ledger true", "unharmed", "right")
	var sum, theirs outcomes
	spoken := 0
	for i := range faults {
		f, m := &faults[i], &results[i]
		if m.ours.times == 0 {
			continue // not asked for, or skipped
		}
		cells := []string{"-", "-"}
		if k := m.theirs.times; k > 0 {
			cells = []string{fmt.Sprintf("%d/%d", m.theirs.unharmed, k), fmt.Sprintf("%d/%d", m.theirs.whole, k)}
			if theirs.add(m.theirs); f.spoken {
				cells[1] = "-"
				theirs.whole, spoken = theirs.whole-m.theirs.whole, spoken+k
			}
		}
		m.ours.print(row, f.name, cells[0], cells[1])
		sum.add(m.ours)
	}
	sum.print(row, "all", fmt.Sprintf("%d/%d", theirs.unharmed, theirs.times), fmt.Sprintf("%d/%d", theirs.whole, theirs.times-spoken))
}

// made is what came of a fault, and of the same with strace.
type made struct{ ours, theirs outcomes }

// outcomes counts the faults of a kind, and what came of them.
type outcomes struct{ times, unharmed, whole, right int }

func (o *outcomes) add(p outcomes) {
	o.times, o.unharmed, o.whole, o.right = o.times+p.times, o.unharmed+p.unharmed, o.whole+p.whole, o.right+p.right
}

func (o *outcomes) print(row, name, strace, itsLog string) {
	fmt.Printf(row, name, strconv.Itoa(o.times), strconv.Itoa(o.unharmed), strconv.Itoa(o.whole), strconv.Itoa(o.right), strace, itsLog)
}

// repeat makes the fault happen n times. What strace makes of it is no failure of the test.
func (f *fault) repeat(t *testing.T, number, n int, strace bool) outcomes {
	o := outcomes{times: n}
	for k := range n {
		dir := t.TempDir()
		r := &round{t: t, strace: strace, dir: dir, log: filepath.Join(dir, "log.jsonl"),
			rng: rand.New(rand.NewPCG(uint64(*howMany), uint64(number*100000+k)))}
		f.run(r)
		for _, x := range []struct {
			what string
			sum  *int
		}{{r.harm, &o.unharmed}, {r.broken, &o.whole}, {r.untrue, &o.right}} {
			switch {
			case x.what == "":
				*x.sum++
			case strace:
				t.Logf("%s, %d: strace: %s", f.name, k, x.what)
			default:
				t.Errorf("%s, %d: %s", f.name, k, x.what)
			}
		}
	}
	return o
}
