package eventlog

import (
	"errors"
	"fmt"
	"io"

	"github.com/vmblame/vmblame/internal/ledger"
)

// A Problem is a contradiction found in a log.
type Problem struct {
	Line int    // of the log; 1 is the header
	Seq  uint64 // the event concerned, or the last one before the line
	Text string
	Cut  bool // the log ends here without its end line
}

// String says "line 7 (seq 3): …".
func (p Problem) String() string { return fmt.Sprintf("line %d (seq %d): %s", p.Line, p.Seq, p.Text) }

// CheckFile opens the log at path and checks it. Errors are those of Open and Check.
func CheckFile(path string, report func(Problem)) error {
	r, err := Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Check(report)
}

// Check reads the log that src holds and reports everything in it that cannot be true; see Reader.Check.
func Check(src io.Reader, report func(Problem)) error {
	r, err := NewReader(src)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Check(report)
}

// Check reads the rest of a log, replays it and reports everything in it that cannot be true: what
// docs/eventlog.md lists under "What vmblame check proves". It returns nil when it has read all it could,
// whatever it found, and the source's error where reading failed. It must be called before the first Next.
// Its memory grows with the mappings, threads, stacks and spaces of the log, not with its events.
func (r *Reader) Check(report func(Problem)) error {
	c := &checker{
		report: report, p: NewReplay(), errnos: errnos(),
		execs: map[uint64]*execution{}, apart: map[int]*ledger.Ledger{}, growsDown: map[uint64]bool{}, leaving: map[int]bool{},
		threadChecks: threadChecks{live: map[int]checkedThread{}, processes: map[int]checkedProcess{}, users: map[int]*spaceUsers{}, roots: map[int]bool{}},
		stackChecks:  stackChecks{modules: map[int]checkedModule{}, stacks: map[int]span{}, places: map[place]uint32{}, named: map[Place]bool{}},
	}
	for {
		rec, err := r.Next()
		c.line = r.Line()
		if err != nil {
			return c.finish(err)
		}
		c.record(rec)
	}
}

// checker holds what the check of one log knows so far.
type checker struct {
	report func(Problem)
	line   int
	header *Header
	p      *Replay
	conv   converter
	errnos map[string]bool

	events, drifts, snapshots uint64
	unverified                uint64                 // notes that say a space was not verified
	eventT, lastT             int64                  // of the last event, and the latest of all lines
	execs                     map[uint64]*execution  // by seq: the calls of execve that succeeded
	apart                     map[int]*ledger.Ledger // by space: ranges given to madvise(MADV_DONTFORK)
	growsDown                 map[uint64]bool        // events that mapped with MAP_GROWSDOWN
	leaving                   map[int]bool           // spaces of which the last line was a snapshot of cause "exec"
	segmentChecks
	threadChecks
	stackChecks
}

func (c *checker) problem(format string, args ...any) {
	c.report(Problem{Line: c.line, Seq: c.p.seq, Text: fmt.Sprintf(format, args...)})
}

// must reports a problem unless ok, and returns ok.
func (c *checker) must(ok bool, format string, args ...any) bool {
	if !ok {
		c.problem(format, args...)
	}
	return ok
}

// finish ends the check with the error that ended the reading.
func (c *checker) finish(err error) error {
	var line *LineError
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, ErrCut):
		c.report(Problem{Line: c.line, Seq: c.p.seq, Text: fmt.Sprintf("%v: there is no end line", ErrCut), Cut: true})
		return nil
	case errors.As(err, &line):
		c.report(Problem{Line: line.Line, Seq: c.p.seq, Text: line.Err.Error()})
		return nil
	}
	return err
}

func (c *checker) record(rec Record) {
	c.stateEnds(rec)
	switch r := rec.(type) {
	case *Header:
		c.checkHeader(r)
	case *Space:
		c.time(r.T)
		c.space(r)
	case *Event:
		c.time(r.T)
		c.event(r)
	case *Thread:
		c.time(r.T)
		c.thread(r)
	case *Module:
		c.module(r)
	case *Stack:
		c.stack(r)
	case *Origin:
		c.time(r.T)
		c.origin(r)
	case *Advice:
		c.time(r.T)
		c.advised(r)
	case *Drift:
		c.time(r.T)
		c.drift(r)
	case *Symbol:
		c.symbol(r)
	case *Snapshot:
		c.time(r.T)
		c.snapshot(r)
	case *Content:
		c.content(r)
	case *Note:
		c.time(r.T)
		c.must(r.Level == "info" || r.Level == "warning", "note: level %q is neither info nor warning", r.Level)
		c.must(r.Code != "" && r.Text != "", "note: no code or no text")
		if r.Code == "unverified" {
			c.unverified++
		}
	case *End:
		c.end(r)
	}
}

func (c *checker) time(t int64) {
	c.must(t >= 0, "t %d is before the recording began", t)
	c.lastT = max(c.lastT, t)
}

func (c *checker) checkHeader(r *Header) {
	c.header = r
	c.must(r.Mode == "run" || r.Mode == "attach" || r.Mode == "map", "header: mode %q is none of run, attach, map", r.Mode)
	c.must(validTime(r.Started), "header: started %q is no time of RFC 3339", r.Started)
	c.must(r.Host.PageSize == 4096, "header: page size %d is not 4096", r.Host.PageSize)
	c.must(r.Advice == "" || r.Advice == "counted" || r.Advice == "uncounted", "header: advice %q is neither counted nor uncounted", r.Advice)
	c.begins(r)
}

func (c *checker) end(r *End) {
	c.must(r.Events == c.events, "end: %d events, but %d lines of them", r.Events, c.events)
	c.must(r.Stacks == uint64(len(c.stacks)), "end: %d stacks, but %d lines of them", r.Stacks, len(c.stacks))
	c.must(r.Drifts == c.drifts, "end: %d drifts, but %d lines of them", r.Drifts, c.drifts)
	c.must(r.Lost == 0, "end: %d events are lost", r.Lost)
	c.must(r.T >= c.lastT, "end: t %d is before that of another line, %d", r.T, c.lastT)
	attach := c.header.Mode != "run"
	switch r.Cause {
	case "exit":
		c.must(attach || r.Exit != nil, "end: no exit of the program that was launched")
		for tid, t := range c.live {
			c.problem("end: thread %d of process %d has not ended, though all have", tid, t.pid)
		}
	case "detach", "duration":
		c.must(attach || r.Cause == "detach" && r.Exit != nil, "end: cause %q, though the program was launched and has not ended", r.Cause)
	case "failed":
	case "segment":
		c.must(r.Exit == nil && r.Checks == 0, "end: an exit or checks, though the recording goes on")
	default:
		c.problem("end: cause %q is none of exit, detach, duration, failed, segment", r.Cause)
	}
	c.must(!attach || r.Exit == nil, "end: an exit, though the program was not launched")
	c.exit(r.Exit, "end")
	for name, n := range r.System {
		c.must(n >= 0, "end: %s is %d", name, n)
	}
	for space := range c.leaving {
		c.must(r.Cause == "failed" || r.Cause == "segment", "snapshot of space %d: its cause is exec, and none follows", space)
	}
	c.checks(r)
	c.lives(r)
}

// exit checks how a process is said to have ended.
func (c *checker) exit(e *Exit, where string) {
	if e == nil {
		return
	}
	c.must((e.Code == nil) != (e.Signal == nil), "%s: exit has neither or both of code and signal", where)
	c.must(e.Code == nil || *e.Code >= 0 && *e.Code <= 255, "%s: no program exits with this code", where)
	c.must((e.Signal == nil) == (e.Name == ""), "%s: exit has a signal's name or number, and not the other", where)
	c.must(e.Signal == nil || *e.Signal >= 1 && *e.Signal <= 64, "%s: no signal has this number", where)
}

// checks compares the number of comparisons with the bounds that the log implies: with --verify=off none; else at
// least one for each space that threads used, unless a note says that there was none.
func (c *checker) checks(r *End) {
	if r.Checks == 0 || r.Cause == "failed" || c.segment.Number > 0 {
		return // of a segment they are those of the whole recording
	}
	used, threads := uint64(0), uint64(0)
	for _, u := range c.users {
		threads += uint64(u.ever)
		if u.ever > 0 {
			used++
		}
	}
	c.must(r.Checks+c.unverified >= used, "end: %d checks and %d notes that there was none, but %d address spaces", r.Checks, c.unverified, used)
	most := 2*(c.events+threads+used+c.drifts) + c.snapshots
	c.must(r.Checks <= most, "end: %d checks, where there was occasion for %d", r.Checks, most)
}
