package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// logSink is the log. When it takes no more, a full disk say, that is said once, and the recording goes
// on without it: the program is not to suffer for its log.
type logSink struct {
	name    string
	regular bool // it can be read afterwards
	w       *eventlog.Writer
	stderr  io.Writer

	began bool // an address space stands in it; until then there is nothing to keep

	mu   sync.Mutex
	bad  bool
	stop chan struct{}
	done chan struct{}
}

// flushEvery is half of what a log that is cut may lack.
const flushEvery = 500 * time.Millisecond

// openLog opens the log called name or, where that is "", the first of the names vmblame.PID.jsonl,
// vmblame.PID.2.jsonl … that nothing has yet. Its lines are written by then at the latest, when close is called
// or flushEvery has passed.
func openLog(name string, pid int, stderr io.Writer) (*logSink, error) {
	w, err := createLog(&name, pid)
	if err != nil {
		return nil, err
	}
	l := &logSink{name: name, w: w, stderr: stderr, stop: make(chan struct{}), done: make(chan struct{})}
	if st, err := os.Stat(name); err == nil {
		l.regular = st.Mode().IsRegular()
	}
	go l.flush()
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

// flush runs until close.
func (l *logSink) flush() {
	defer close(l.done)
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			l.check(l.w.Flush())
		case <-l.stop:
			return
		}
	}
}

// Put implements eventlog.Sink. It never fails: what the log lost is in its end line.
func (l *logSink) Put(r eventlog.Record) error {
	if _, ok := r.(*eventlog.Space); ok {
		l.began = true
	}
	l.check(l.w.Put(r))
	return nil
}

// close ends the log and tells whether it took everything.
func (l *logSink) close() bool {
	close(l.stop)
	<-l.done
	if l.began {
		l.check(l.w.Close())
	} else {
		l.check(l.w.Discard())
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
		fmt.Fprintf(l.stderr, "vmblame: the log %v: it is lost when vmblame ends; until then: cp /proc/%d/fd/%d COPY\n", err, os.Getpid(), l.w.Fd())
	default:
		l.bad = true
		fmt.Fprintf(l.stderr, "vmblame: the log is incomplete: %v: it ends with its last whole line, the program goes on\n", err)
	}
}
