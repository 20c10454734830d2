package main

import (
	"fmt"
	"io"
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

	mu   sync.Mutex
	bad  bool
	stop chan struct{}
	done chan struct{}
}

// flushEvery is half of what a log that is cut may lack.
const flushEvery = 500 * time.Millisecond

// openLog opens the log. Its lines are written by then at the latest, when close is called or flushEvery
// has passed.
func openLog(name string, stderr io.Writer) (*logSink, error) {
	w, err := eventlog.Create(name)
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
	l.check(l.w.Put(r))
	return nil
}

// close ends the log and tells whether it took everything.
func (l *logSink) close() bool {
	close(l.stop)
	<-l.done
	l.check(l.w.Close())
	return !l.bad
}

func (l *logSink) check(err error) {
	if err == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.bad {
		l.bad = true
		fmt.Fprintf(l.stderr, "vmblame: the log is incomplete: %v: it ends with its last whole line, the program goes on\n", err)
	}
}
