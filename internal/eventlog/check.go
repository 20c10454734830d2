package eventlog

import (
	"errors"
	"fmt"
	"io"

	"github.com/vmblame/vmblame/internal/ledger"
)

// A Problem is something that cannot be true in a log.
type Problem struct {
	Line int    // of the log; 1 is the header
	Seq  uint64 // the event concerned, or the last one before the line
	Text string
}

// String says "line 7 (seq 3): …".
func (p Problem) String() string { return fmt.Sprintf("line %d (seq %d): %s", p.Line, p.Seq, p.Text) }

// CheckFile opens the log at path and checks it; errors are those of Open.
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

// Check reads the rest of a log, replays it and reports everything in it that cannot be true: an order
// that is broken, a reference to nothing, a change that found what the ledger does not have there, a
// snapshot that differs from the ledger, counts that are wrong, a log that is cut. It returns nil when it
// has read all it could, whatever it found, and the source's error where reading failed. It must be called
// before the first Next. Its memory grows with the mappings, stacks and spaces of the log, not with its
// events.
func (r *Reader) Check(report func(Problem)) error {
	c := &checker{
		report: report, p: NewReplay(), errnos: errnos(),
		execs: map[uint64]int{}, apart: map[int]*ledger.Ledger{},
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
	p      *Replay
	conv   converter
	errnos map[string]bool

	stacks, modules        idSet
	events, nStacks, drift uint64
	eventT                 int64
	execs                  map[uint64]int         // seq of a successful execve: its space
	apart                  map[int]*ledger.Ledger // by space: what madvise(MADV_DONTFORK) was asked for
}

func (c *checker) problem(format string, args ...any) {
	c.report(Problem{c.line, c.p.seq, fmt.Sprintf(format, args...)})
}

// must reports the problem unless ok.
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
	case err == io.EOF:
		return nil
	case errors.Is(err, ErrCut):
		c.problem("%v: there is no end line", ErrCut)
		return nil
	case errors.As(err, &line):
		c.report(Problem{line.Line, c.p.seq, line.Err.Error()})
		return nil
	}
	return err
}

func (c *checker) record(rec Record) {
	switch r := rec.(type) {
	case *Header:
		c.header(r)
	case *Space:
		c.space(r)
		return
	case *Event:
		c.event(r)
		return
	case *Thread:
		c.thread(r)
	case *Module:
		c.must(c.modules.add(r.Module), "module %d: defined before, or not a positive number", r.Module)
		c.must(r.Path != "", "module %d: no path", r.Module)
	case *Stack:
		c.stack(r)
	case *Drift:
		if !c.checkDrift(r) {
			c.p.Put(r)
			return
		}
	case *Symbol:
		c.symbol(r)
	case *Snapshot:
		c.snapshot(r)
	case *Note:
		c.must(r.Level == "info" || r.Level == "warning", "note: level %q is neither info nor warning", r.Level)
		c.must(r.Code != "" && r.Text != "", "note: no code or no text")
	case *End:
		c.end(r)
	}
	if err := c.p.Put(rec); err != nil {
		c.problem("%s: %v", rec.Type(), err)
	}
}

func (c *checker) header(r *Header) {
	c.must(r.Mode == "run" || r.Mode == "attach", "header: mode %q is neither run nor attach", r.Mode)
	c.must(validTime(r.Started), "header: started %q is no time of RFC 3339", r.Started)
	c.must(r.Host.PageSize == 4096, "header: page size %d is not 4096", r.Host.PageSize)
}

func (c *checker) thread(r *Thread) {
	c.must(c.p.Space(r.Space) != nil, "thread %d: space %d is not known", r.TID, r.Space)
	c.must(r.What == "start" || r.What == "exec" || r.What == "exit", "thread %d: what %q is none of start, exec, exit", r.TID, r.What)
	c.must(r.TID > 0 && r.PID > 0, "thread %d of process %d: not a positive number", r.TID, r.PID)
}

func (c *checker) stack(r *Stack) {
	c.nStacks++
	c.must(c.stacks.add(r.Stack), "stack %d: defined before, or not a positive number", r.Stack)
	complete := r.End == "undefined-ra" || r.End == "elf-entry" || r.End == "goexit"
	c.must(r.Complete == complete, "stack %d: complete is %v, and its end %q", r.Stack, r.Complete, r.End)
	c.must(r.End != "", "stack %d: no end", r.Stack)
	for i, f := range r.Frames {
		if !c.must(c.modules.has(f.Module), "stack %d: frame %d: module %d is not known", r.Stack, i, f.Module) {
			return
		}
		c.must(f.Via != "", "stack %d: frame %d: no via", r.Stack, i)
	}
	if len(r.Frames) > 0 {
		c.must(!r.Frames[0].Call, "stack %d: frame 0 cannot be a return address", r.Stack)
	}
}

func (c *checker) symbol(r *Symbol) {
	c.must(c.modules.has(r.Module), "symbol: module %d is not known", r.Module)
	c.must(r.Source != "", "symbol %v of module %d: no source", r.Offset, r.Module)
	c.must(len(r.Frames) > 0, "symbol %v of module %d: no name", r.Offset, r.Module)
	for i, f := range r.Frames {
		c.must(f.Function != "", "symbol %v of module %d: frame %d: no function", r.Offset, r.Module, i)
		c.must(f.Inlined == (i < len(r.Frames)-1), "symbol %v of module %d: frame %d: inlined is %v", r.Offset, r.Module, i, f.Inlined)
		if !f.Inlined {
			c.must(f.Start <= r.Offset, "symbol %v of module %d: %s starts behind it, at %v", r.Offset, r.Module, f.Function, f.Start)
		}
	}
}

func (c *checker) end(r *End) {
	c.must(r.Events == c.events, "end: %d events, but %d lines of them", r.Events, c.events)
	c.must(r.Stacks == c.nStacks, "end: %d stacks, but %d lines of them", r.Stacks, c.nStacks)
	c.must(r.Drifts == c.drift, "end: %d drifts, but %d lines of them", r.Drifts, c.drift)
	c.must(r.Lost == 0, "end: %d events are lost", r.Lost)
	c.must(r.T >= c.eventT, "end: t %d is before the last event's, %d", r.T, c.eventT)
	switch r.Cause {
	case "exit", "detach", "duration", "failed":
	default:
		c.problem("end: cause %q is none of exit, detach, duration, failed", r.Cause)
	}
	attach := c.p.header.Mode == "attach"
	switch {
	case attach:
		c.must(r.Exit == nil, "end: an exit, though the program was not launched")
	case r.Cause == "exit":
		c.must(r.Exit != nil, "end: no exit of the program that was launched")
	}
	if r.Exit != nil {
		c.must((r.Exit.Code == nil) != (r.Exit.Signal == nil), "end: exit has neither or both of code and signal")
	}
}
