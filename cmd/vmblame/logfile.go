package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// A logFile is a log that a command reads, once or several times, and the moment of it that was asked for.
type logFile struct {
	name   string
	at     analysis.Moment
	file   *os.File
	bar    *bar
	read   int64 // bytes of this pass
	passes int

	segment *eventlog.Segment // of its header
}

// openLogFile opens LOG or LOG@MOMENT. If a file is called arg as a whole, arg is taken for its name.
func openLogFile(cmd *cobra.Command, arg string) (*logFile, error) {
	l := &logFile{name: arg}
	if i := strings.LastIndexByte(arg, '@'); i > 0 {
		if _, err := os.Lstat(arg); err != nil {
			at, err := analysis.ParseMoment(arg[i+1:])
			if err != nil {
				return nil, misused(cmd, "%s: %v", arg, err)
			}
			l.name, l.at = arg[:i], at
		}
	}
	return l.begin(cmd)
}

// openWholeLog opens a log for a command that takes no moment.
func openWholeLog(cmd *cobra.Command, name string) (*logFile, error) {
	return (&logFile{name: name}).begin(cmd)
}

// begin opens the file.
func (l *logFile) begin(cmd *cobra.Command) (*logFile, error) {
	f, err := os.Open(l.name)
	if err != nil {
		return nil, l.failed(cmd, err)
	}
	l.file = f
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		f.Close()
		return nil, errFolder(cmd.Name(), l.name)
	}
	if err == nil && st.Mode().IsRegular() {
		waiting := func() { note(cmd, "%s %s: its names are still being looked up: waiting", cmd.Name(), l.name) }
		if !eventlog.AwaitNames(f, waiting) {
			note(cmd, "%s %s: the answer is without the names that are still being looked up", cmd.Name(), l.name)
		}
		l.bar = newBar(cmd.Context(), cmd.ErrOrStderr(), l.name, st.Size())
	}
	return l, nil
}

// open implements analysis.Open.
func (l *logFile) open() (*eventlog.Reader, error) {
	if l.passes > 0 {
		if _, err := l.file.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read it a second time: %w: use a file", err)
		}
	}
	l.passes++
	l.read = 0
	r, err := eventlog.NewReader(bufio.NewReaderSize(l, 1<<18))
	if err == nil {
		l.segment = r.Header().Segment
	}
	return r, err
}

// Read implements io.Reader, and moves the progress bar.
func (l *logFile) Read(p []byte) (int, error) {
	n, err := l.file.Read(p)
	l.read += int64(n)
	l.bar.reached(l.read)
	return n, err
}

// close closes the log and erases the progress bar.
func (l *logFile) close() {
	l.bar.end()
	l.file.Close()
}

// load reads the state at the log's moment, keeps what chosen matches, and warns if the log was cut off.
func (l *logFile) load(cmd *cobra.Command, pids []int, chosen analysis.Filter) (*analysis.State, error) {
	defer l.close()
	s, err := analysis.Load(l.open, l.at, pids)
	if err == nil {
		err = s.Choose(l.open, chosen)
	}
	if err != nil {
		return nil, l.failed(cmd, err)
	}
	l.warn(cmd, s.Cut)
	return s, nil
}

// warn says that the log is cut, if it is, and what came before it, if it is a segment.
func (l *logFile) warn(cmd *cobra.Command, cut bool) {
	if cut {
		note(cmd, "%s %s: %v: the answer is from what stands before the cut", cmd.Name(), l.name, eventlog.ErrCut)
	}
	if g := l.segment; g != nil {
		note(cmd, "%s %s: %s", cmd.Name(), l.name, missing(l.name, g))
	}
}

// failed returns the error of a command that cannot read the log.
func (l *logFile) failed(cmd *cobra.Command, err error) error {
	if errors.Is(err, analysis.ErrNoProcess) {
		return failed("%s %s: %w: vmblame report without --pid lists them", cmd.Name(), l.name, err)
	}
	return failed("%s %s: %w%s", cmd.Name(), l.name, cause(err, l.name), remedy(err, l.name, l.file))
}
