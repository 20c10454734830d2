package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/spool"
)

// logSink is the log. Lines wait in memory for a goroutine that writes them, so that the tracer never waits for the
// disk or the reader of a pipe. If the log fails (a full disk, say) or is too slow, that is reported once and the
// recording goes on without it: the program must not suffer for its log.
type logSink struct {
	name    string
	regular bool // it can be read afterwards
	w       *eventlog.Writer
	stderr  io.Writer   // each Write is one message, without vmblame's name
	began   bool        // an address space has been written; before that there is nothing to keep
	bounded *boundedLog // nil without --log-limit
	broken  bool        // there is no file to write to any more

	mu      sync.Mutex
	waiting waitingLines
	lost    uint64 // events that found no room
	end     *eventlog.End
	bad     bool
	full    bool // there was no room for a line: no more are taken

	namesLater bool                 // names come after the end: set before close
	unfinished *eventlog.Unfinished // then, nil where the log has failed

	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
	written atomic.Int64 // pieces of lines
}

const (
	// flushEvery is half the time that a cut log may be behind.
	flushEvery = 500 * time.Millisecond
	// mostWaiting bounds the bytes of lines that wait: a second's worth of the fastest recordings.
	mostWaiting = 64 << 20
	// patience is how long an end waits for a reader that takes nothing.
	patience = 2 * time.Second
)

var errSlow = errors.New("its reader takes lines too slowly, or none")

// openLog opens the log called name or, where that is "", the first of the names vmblame.PID.jsonl,
// vmblame.PID.2.jsonl … that nothing has yet. Its lines are written by then at the latest, when close is called
// or flushEvery has passed.
// limit bounds the bytes of the log and its parts, 0 for no bound.
func openLog(name string, pid int, limit int64, stderr io.Writer) (*logSink, error) {
	w, err := createLog(&name, pid)
	if err != nil {
		return nil, err
	}
	l := &logSink{name: name, w: w, stderr: stderr, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	if st, err := os.Stat(name); err == nil {
		l.regular = st.Mode().IsRegular()
	}
	if limit > 0 {
		if !l.regular {
			_ = w.Discard()
			return nil, fmt.Errorf("%s: --log-limit needs a regular file: name one with -o", name)
		}
		l.bounded = newBoundedLog(limit, name)
	}
	go l.write()
	return l, nil
}

func createLog(name *string, pid int) (*eventlog.Writer, error) {
	if *name != "" {
		return eventlog.Create(*name)
	}
	const most = 1000
	*name = fmt.Sprintf("vmblame.%d.jsonl", pid)
	for n := 2; ; n++ {
		w, err := eventlog.CreateNew(*name)
		if !errors.Is(err, fs.ErrExist) || n > most {
			return w, err
		}
		*name = fmt.Sprintf("vmblame.%d.%d.jsonl", pid, n)
	}
}

// Put implements eventlog.Sink. It never fails and never waits: what the log lost is in its end line.
func (l *logSink) Put(r eventlog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r := r.(type) {
	case *eventlog.End:
		end := *r
		l.end = &end
		return nil
	case *eventlog.Space:
		l.began = true
	case *eventlog.Event:
		if l.full {
			l.lost++
		}
	}
	if l.full {
		return nil
	}
	before := l.waiting.here()
	l.append(r)
	if l.waiting.bytes > mostWaiting && before.bytes > 0 {
		l.waiting.backTo(before)
		l.full = true
		if _, event := r.(*eventlog.Event); event {
			l.lost++
		}
		l.saySlow()
	}
	if _, first := r.(*eventlog.Header); first || l.waiting.bytes >= linesChunk {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// append appends the lines of r. l.mu is held.
func (l *logSink) append(r eventlog.Record) {
	b := l.bounded
	if _, event := r.(*eventlog.Event); event && b != nil && b.full() {
		l.waiting.endSegment(b.cutter.End())
		p := l.waiting.open()
		p.lines = b.cutter.Begin(p.lines)
		l.waiting.grown(len(p.lines))
		b.began, b.state = len(p.lines), len(p.lines)
		if inFile := int64(b.state) * b.ratio.Load() / 1024; inFile > b.limit/2 && !b.told {
			b.told = true
			fmt.Fprintf(l.stderr, "--log-limit %d: what is mapped takes %d bytes in the log: it is larger than that", b.limit, inFile)
		}
	}
	p := l.waiting.open()
	n := len(p.lines)
	if b == nil {
		p.lines = eventlog.AppendRecord(p.lines, r)
	} else {
		p.lines = b.cutter.Append(p.lines, r)
		b.began += len(p.lines) - n
	}
	l.waiting.grown(len(p.lines) - n)
}

// saySlow is said once. l.mu is held.
func (l *logSink) saySlow() {
	if !l.bad {
		l.bad = true
		fmt.Fprintf(l.stderr, "the log is incomplete: %s: %v: the program goes on", l.name, errSlow)
	}
}

// write hands lines to the file until close.
func (l *logSink) write() {
	defer close(l.done)
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-l.wake:
			l.drain()
		case <-t.C:
			l.drain()
			l.check(l.w.Flush())
		case <-l.stop:
			l.finish()
			return
		}
	}
}

// drain writes what waits.
func (l *logSink) drain() {
	l.mu.Lock()
	pieces := l.waiting.take()
	l.mu.Unlock()
	for i := range pieces {
		p := &pieces[i]
		l.writeLines(p.lines)
		if p.end != nil {
			l.nextSegment(p.end)
		}
		l.mu.Lock()
		l.waiting.recycle(p.lines)
		l.mu.Unlock()
		p.lines = nil
	}
}

// writeLines writes whole lines.
func (l *logSink) writeLines(lines []byte) {
	for rest := lines; len(rest) > 0 && !l.broken; l.written.Add(1) {
		n := len(rest)
		if n > linesChunk {
			n = linesChunk + bytes.IndexByte(rest[linesChunk:], '\n') + 1
		}
		if l.bounded != nil {
			l.check(l.bounded.makeRoom(l.w.Size() + int64(n) + logSlack))
		}
		l.check(l.w.PutLines(rest[:n]))
		if l.bounded != nil {
			l.bounded.wrote(n, l.w.Size())
		}
		rest = rest[n:]
	}
}

// nextSegment ends a segment. Where no other can be begun the log ends with it.
func (l *logSink) nextSegment(end *eventlog.End) {
	if l.broken {
		return
	}
	w, err := l.bounded.next(l.w, l.name, end)
	l.w = w
	if err == nil {
		return
	}
	l.check(err)
	l.broken = true
	l.mu.Lock()
	l.full = true
	l.mu.Unlock()
}

// finish ends the log.
func (l *logSink) finish() {
	l.drain()
	l.mu.Lock()
	end, lost, full := l.end, l.lost, l.full
	l.mu.Unlock()
	if full {
		l.w.Lose(lost, errSlow)
	}
	if end != nil {
		if l.bounded != nil && !full {
			end.Events, end.Stacks, end.Drifts = l.bounded.cutter.Counts()
		}
		if l.namesLater && l.began && !full {
			u, err := l.w.Unfinished()
			l.check(err)
			l.unfinished = u
		}
		l.check(l.w.Put(end))
	}
	if l.began {
		l.check(l.w.Close())
	} else {
		l.check(l.w.Discard())
	}
}

// close ends the log and reports whether it took everything. It waits as long as the log takes something.
func (l *logSink) close() bool {
	close(l.stop)
	done := spool.Await(l.done, &l.written, patience)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !done {
		l.saySlow()
	}
	return !l.bad
}

func (l *logSink) check(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.bad:
	case errors.Is(err, eventlog.ErrDeleted):
		l.bad = true
		fmt.Fprintf(l.stderr, "the log %v: it is lost when vmblame ends; until then: cp /proc/%d/fd/%d COPY", err, os.Getpid(), l.w.Fd())
	default:
		l.bad = true
		fmt.Fprintf(l.stderr, "the log is incomplete: %v: it ends with its last whole line, the program goes on", err)
	}
}
