package analysis

import (
	"fmt"
	"strings"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// A BeyondError says that a moment lies beyond the end of the log.
type BeyondError struct {
	At   Moment
	T    int64  // of the log's last line, nanoseconds
	Last uint64 // its last event
}

// Error says where the log ends.
func (e *BeyondError) Error() string {
	if e.At.Kind == AtSeq {
		return fmt.Sprintf("no event %d: the log ends with event %d", e.At.Seq, e.Last)
	}
	return fmt.Sprintf("no moment %v: the log ends at %s", e.At, text.When(e.T))
}

// isPast reports whether rec stands behind the moment.
func (l *folder) isPast(rec eventlog.Record, line int) bool {
	l.moved = l.moved || changes(rec)
	l.past = l.past || l.over(rec, line)
	if e, ok := rec.(*eventlog.Event); ok && !l.past && l.at.Kind == AtSeq && e.Seq == l.at.Seq && strings.HasPrefix(e.Call, "execve") && e.Error == "" {
		l.execed = e.Space
	}
	return l.past && !l.begins(rec)
}

// changes reports whether rec changes the initial state: what was launched, or what Attach found.
func changes(rec eventlog.Record) bool {
	switch r := rec.(type) {
	case *eventlog.Event, *eventlog.Drift:
		return true
	case *eventlog.Space:
		return r.Cause == "fork" || r.Cause == "exec"
	case *eventlog.Thread:
		return r.What != "start"
	}
	return false
}

// over reports whether rec is the first record behind the moment.
func (l *folder) over(rec eventlog.Record, line int) bool {
	switch l.at.Kind {
	case AtPeak:
		return line > l.line
	case AtStart:
		return l.moved
	case AtSeq:
		// The event is the last that is taken in.
		_, snapshot := rec.(*eventlog.Snapshot)
		return l.moved && !snapshot && l.state.Seq >= l.at.Seq
	case AtTime:
		t := int64(-1)
		switch r := rec.(type) {
		case *eventlog.Event:
			t = r.T
		case *eventlog.Space:
			t = r.T
		case *eventlog.Drift:
			t = r.T
		case *eventlog.Thread:
			t = r.T
		}
		return l.moved && t > l.at.T
	}
	return false
}

// begins reports whether rec describes the new image of the execve that is the moment's event.
func (l *folder) begins(rec eventlog.Record) bool {
	switch r := rec.(type) {
	case *eventlog.Space:
		if l.execed == 0 || r.Cause != "exec" || r.Parent == nil || *r.Parent != l.execed {
			return false
		}
		l.execed = -r.Space
		return true
	case *eventlog.Thread:
		if l.execed < 0 && r.What == "exec" && r.Space == -l.execed {
			l.execed = 0
			return true
		}
	}
	return false
}

// note remembers how far the log goes.
func (l *folder) note(rec eventlog.Record) {
	switch r := rec.(type) {
	case *eventlog.Event:
		l.latest, l.last = max(l.latest, r.T), r.Seq
	case *eventlog.Space:
		l.latest = max(l.latest, r.T)
	case *eventlog.Drift:
		l.latest = max(l.latest, r.T)
	case *eventlog.Thread:
		l.latest = max(l.latest, r.T)
	case *eventlog.Snapshot:
		l.latest = max(l.latest, r.T)
	case *eventlog.End:
		l.latest = max(l.latest, r.T)
	}
}

// beyond returns the error for a moment that lies after the end of the log.
func (l *folder) beyond() error {
	if l.at.Kind == AtTime && l.at.T > l.latest || l.at.Kind == AtSeq && l.at.Seq > l.last {
		return &BeyondError{l.at, l.latest, l.last}
	}
	return nil
}
