package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/record"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/internal/watch"
)

const (
	// watchInterval is the time between two looks at what is watched.
	watchInterval = time.Second
	// watchShare bounds the cost of looking: from the beginning of a look to the next, at least watchShare times its
	// duration passes.
	watchShare = 10
	// watchMoments and watchMappings bound how many moments of a log's past are read, and their mappings.
	watchMoments  = 300
	watchMappings = 1_000_000
)

// pace waits until the next look is due.
type pace struct {
	last  time.Time
	spent time.Duration
}

func (p *pace) wait() {
	time.Sleep(max(watchInterval, watchShare*p.spent) - time.Since(p.last))
}

// look calls f, and remembers how long that took.
func (p *pace) look(f func() error) error {
	p.last = time.Now()
	err := f()
	p.spent = time.Since(p.last)
	return err
}

// opens returns a function that opens the log from its beginning, as often as it is called.
func opens(log string) analysis.Open {
	return func() (*eventlog.Reader, error) { return eventlog.Open(log) }
}

// A logSource is a log, which may still be written.
type logSource struct {
	name, file string
	written    func() bool
	measured   bool // the kernel is asked what is resident, while the log is being written
	pace       pace
	size       int64 // when it was read last
	read       bool  // to its end
	following  sync.Mutex
	follower   *analysis.Follower // nil before it is needed
}

// Name implements watch.Source.
func (l *logSource) Name() string { return filepath.Base(l.name) }

// Next implements watch.Source.
func (l *logSource) Next() (*analysis.State, error) {
	for first := l.pace.last.IsZero(); !first; {
		if l.read {
			return nil, io.EOF
		}
		l.pace.wait()
		written := l.written()
		st, err := os.Stat(l.file)
		if err != nil {
			return nil, err
		}
		if st.Size() != l.size || !written || l.measured {
			l.read = !written
			break
		}
		l.pace.last = time.Now()
	}
	var s *analysis.State
	err := l.pace.look(func() (err error) {
		if st, err := os.Stat(l.file); err == nil {
			l.size = st.Size()
		}
		s, err = l.now()
		return err
	})
	if err == nil && s.End() != nil {
		l.read = true
	}
	return s, err
}

// now returns the state at the present end of the log.
func (l *logSource) now() (*analysis.State, error) {
	l.following.Lock()
	defer l.following.Unlock()
	if l.follower == nil {
		l.follower = analysis.NewFollower(l.file)
	}
	if l.measured && l.written() {
		return l.follower.State(record.Measure)
	}
	return l.follower.State(nil)
}

// Past implements watch.Source.
func (l *logSource) Past(yield func(*analysis.State) bool) error {
	survey, err := analysis.Take(opens(l.file), nil, watchMoments, watchMappings, 0, 0)
	if err != nil {
		return err
	}
	enough := errors.New("enough")
	err = analysis.LoadEach(opens(l.file), survey.Moments[:len(survey.Moments)-1], nil, func(_ int, s *analysis.State) error {
		if !yield(s) {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		return nil
	}
	return err
}

// Load implements watch.Source.
func (l *logSource) Load(at analysis.Moment) (*analysis.State, error) {
	return analysis.Load(opens(l.file), at, nil)
}

// Detail implements watch.Source.
func (l *logSource) Detail(at analysis.Moment, pid int, addr uint64, s text.Style) (string, error) {
	state, err := l.now()
	if (at != analysis.Moment{}) {
		state, err = analysis.Load(opens(l.file), at, []int{pid})
	}
	if err != nil {
		return "", err
	}
	h, err := analysis.ReadHistory(opens(l.file), at, []int{pid}, addr, analysis.HistoryOptions{})
	if err != nil {
		return "", err
	}
	return blamed(state, addr, s) + "\n" + withoutNext(string(report.History(h, s))), nil
}

// blamed returns the answer of blame for an address, as text.
func blamed(s *analysis.State, addr uint64, l text.Style) string {
	return withoutNext(string(report.Blame(s.Blame(analysis.Question{Range: vm.Range{Start: addr, End: addr + 1}, Frames: true}), l)))
}

// withoutNext removes the suggested commands from a text: the view offers its own keys, and the log may not exist any
// more.
func withoutNext(s string) string {
	before, _, _ := strings.Cut("\n"+s, "\nnext: ")
	return strings.TrimPrefix(strings.TrimRight(before, "\n")+"\n", "\n")
}

// A mapSource looks at a process again and again, without recording it.
type mapSource struct {
	pid   int
	start time.Time
	pace  pace
	first *analysis.State
}

// Name implements watch.Source.
func (m *mapSource) Name() string { return strconv.Itoa(m.pid) + " (by map)" }

// look returns the process as it is now.
func (m *mapSource) look() (s *analysis.State, err error) {
	err = m.pace.look(func() (err error) {
		s, err = m.now()
		return err
	})
	if err == nil {
		s.T = time.Since(m.start).Nanoseconds() // each look is a log of its own
	}
	return s, err
}

func (m *mapSource) now() (*analysis.State, error) {
	records, err := record.Map(m.pid, "vmblame "+version)
	if err != nil {
		return nil, err
	}
	return recorded(records)
}

// Next implements watch.Source.
func (m *mapSource) Next() (*analysis.State, error) {
	if s := m.first; s != nil {
		m.first = nil
		return s, nil
	}
	m.pace.wait()
	return m.look()
}

// Past implements watch.Source.
func (m *mapSource) Past(func(*analysis.State) bool) error { return nil }

// Load implements watch.Source.
func (m *mapSource) Load(analysis.Moment) (*analysis.State, error) { return nil, watch.ErrNotKept }

// Detail implements watch.Source.
func (m *mapSource) Detail(_ analysis.Moment, _ int, addr uint64, s text.Style) (string, error) {
	state, err := m.now()
	if err != nil {
		return "", err
	}
	return blamed(state, addr, s), nil
}
