package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// outcome is how a program ended and what it wrote.
type outcome struct {
	status         string // "exit status 7", "signal: killed"
	stdout, stderr string
}

func (o outcome) String() string {
	return o.status + ", standard output: " + o.stdout + ", standard error: " + o.stderr
}

// limit is how long a program may run before it counts as hung.
const limit = 3 * time.Minute

// start runs a program to its end in dir, its account going to the file of that name.
func start(t *testing.T, dir, account string, argv ...string) outcome {
	t.Helper()
	need(t, argv)
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	argv = withBackend(argv)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "VMBLAME_ACCOUNT="+account)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The whole group: a program that hangs has children, and without a filter outlives its tracer.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 30 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%v hangs: killed after %v: %s", argv, limit, stderr.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", argv, err)
	}
	return outcome{cmd.ProcessState.String(), stdout.String(), stderr.String()}
}

// traced is a program that was recorded.
type traced struct {
	outcome
	account *account
	log     *recording
}

// trace records a program and loads account and log. The log must pass the check.
func trace(t *testing.T, flags []string, program string, args ...string) *traced {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log.jsonl")
	said := filepath.Join(dir, "account")
	argv := append([]string{built.vmblame, "run", "-q", "-o", log}, flags...)
	argv = append(append(argv, "--", prog(t, program)), args...)
	r := &traced{outcome: start(t, dir, said, argv...)}
	problems := 0
	err := eventlog.CheckFile(log, func(p eventlog.Problem) {
		if problems++; problems <= 5 {
			t.Errorf("check: %v", p)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if problems > 0 {
		t.Logf("%s", r.outcome)
	}
	r.account = readAccount(t, said)
	r.log = readLog(t, log)
	return r
}

// recording is a log at its end, with the lines that a replay does not keep.
type recording struct {
	*eventlog.Replay
	events    []event // by seq less one
	header    *eventlog.Header
	advice    []*eventlog.Advice
	spaces    []*eventlog.Space
	threads   []eventlog.Thread
	drifts    []drift
	snapshots map[int]int // by space
	frames    map[int]*eventlog.Stack
	symbols   map[address]*eventlog.Symbol
	notes     []eventlog.Note
	end       *eventlog.End // nil where the log is cut
}

// address is where a symbol is found.
type address struct {
	module int
	offset eventlog.Hex
}

// event is what the tests ask of an event line; a storm has a hundred thousand.
type event struct {
	seq             uint64
	call            string
	space, pid, tid int
	args            []uint64
	result          uint64
	hasResult       bool
	error           string
	stack           int
	uncertain       bool
	changes         int
	moved           []eventlog.Change // those with moved_from
}

type drift struct {
	eventlog.Drift
	spans []eventlog.Change
}

func readLog(t *testing.T, path string) *recording {
	t.Helper()
	in, err := eventlog.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	r := &recording{Replay: eventlog.NewReplay(), snapshots: map[int]int{}, frames: map[int]*eventlog.Stack{}, symbols: map[address]*eventlog.Symbol{}}
	alive := map[int]bool{}
	for {
		rec, err := in.Next()
		if err == io.EOF {
			return r
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Put(rec); err != nil {
			t.Errorf("replay: %v", err)
		}
		switch rec := rec.(type) {
		case *eventlog.Event:
			r.events = append(r.events, newEvent(rec))
			if !alive[rec.TID] {
				t.Errorf("event %d, %s, stands where its thread %d has no start or has an exit", rec.Seq, rec.Call, rec.TID)
			}
		case *eventlog.Header:
			r.header = rec
		case *eventlog.Advice:
			r.advice = append(r.advice, rec)
		case *eventlog.Space:
			r.spaces = append(r.spaces, rec)
		case *eventlog.Thread:
			r.threads = append(r.threads, *rec)
			alive[rec.TID] = rec.What != "exit"
		case *eventlog.Stack:
			r.frames[rec.Stack] = rec
		case *eventlog.Symbol:
			r.symbols[address{rec.Module, rec.Offset}] = rec
		case *eventlog.Note:
			r.notes = append(r.notes, *rec)
		case *eventlog.End:
			r.end = rec
		case *eventlog.Snapshot:
			r.snapshots[rec.Space]++
		case *eventlog.Drift:
			d := drift{Drift: *rec}
			for _, c := range rec.Changes {
				d.spans = append(d.spans, eventlog.Change{Start: c.Start, End: c.End})
			}
			d.Changes = nil
			if rec.Beside != nil {
				beside := *rec.Beside
				d.Beside = &beside
			}
			r.drifts = append(r.drifts, d)
		}
	}
}

func newEvent(rec *eventlog.Event) event {
	e := event{seq: rec.Seq, call: rec.Call, space: rec.Space, pid: rec.PID, tid: rec.TID, error: rec.Error,
		uncertain: rec.Uncertain, changes: len(rec.Changes)}
	for _, a := range rec.Args {
		e.args = append(e.args, uint64(a.Value))
	}
	if rec.Result != nil {
		e.result, e.hasResult = uint64(rec.Result.Value), true
	}
	if rec.Stack != nil {
		e.stack = *rec.Stack
	}
	for _, c := range rec.Changes {
		if c.Now != nil && c.Now.MovedFrom != nil {
			from := *c.Now.MovedFrom
			e.moved = append(e.moved, eventlog.Change{Start: c.Start, End: c.End, Now: &eventlog.Attr{MovedFrom: &from}})
		}
	}
	return e
}

// event returns the event with that seq.
func (r *recording) event(seq uint64) (event, error) {
	if seq == 0 || seq > uint64(len(r.events)) {
		return event{}, fmt.Errorf("there is no event %d", seq)
	}
	return r.events[seq-1], nil
}
