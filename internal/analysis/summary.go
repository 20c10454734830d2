package analysis

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// A Summary is the result of a recording.
type Summary struct {
	Type       Type        `json:"type"`           // "summary"
	Log        string      `json:"log"`            // the file
	End        *End        `json:"end"`            // the log's last line
	Calls      int         `json:"calls"`          // mapping calls
	Threads    int         `json:"threads"`        // that made them
	Processes  int         `json:"processes"`      // that ran, including vfork children, which have no address space of their own, and those that are not in the report
	Growth     Unexplained `json:"stack_growth"`   // growth of stacks, which needs no call
	Drift      Unexplained `json:"drift"`          // what else changed without a traced call
	Unverified bool        `json:"unverified"`     // the ledger of an address space was not compared with the kernel's view at its end, for example because it was killed
	Report     *Report     `json:"report"`         // as of the end; of many processes that have ended it has the largest
	Peak       *Report     `json:"peak,omitempty"` // as of the peak, where the largest process had given most of that back by the end and the log could be read again
}

// End is the last line of a log, its type included.
type End struct {
	Type Type `json:"type"` // "end"
	eventlog.End
}

func endOf(r *eventlog.End) *End {
	if r == nil {
		return nil
	}
	return &End{"end", *r}
}

// Unexplained counts changes without a traced call.
type Unexplained struct {
	Times   int      `json:"times"`             // how often
	Bytes   int64    `json:"bytes"`             // of address space, together
	Guesses []string `json:"guesses,omitempty"` // each once
}

// A Recording follows a recording under way, so that there is an answer at its end without reading the log. It is an
// eventlog.Sink. Its memory grows with what is mapped and with the number of distinct stacks, not with the number
// of events, of threads or of processes.
type Recording struct {
	fold    folder
	sum     Summary
	callers map[int]struct{} // tids
}

var _ eventlog.Sink = (*Recording)(nil)

// endedKept is how many ended processes a Recording keeps, the largest ones.
const endedKept = 64

// NewRecording returns a Recording before its first record. Log is what the log is called.
func NewRecording(log string) *Recording {
	r := &Recording{fold: folder{keep: endedKept, known: classify.Known()}, sum: Summary{Type: "summary", Log: log}, callers: map[int]struct{}{}}
	r.fold.begin()
	r.fold.state.names.lines = false
	return r
}

// Put implements eventlog.Sink. It never fails.
func (r *Recording) Put(rec eventlog.Record) error {
	switch rec := rec.(type) {
	case *eventlog.Event:
		if !strings.HasPrefix(rec.Call, "execve") {
			r.sum.Calls++
			r.callers[rec.TID] = struct{}{}
		}
	case *eventlog.Drift:
		u := &r.sum.Drift
		if rec.Guess == "stack growth" {
			u = &r.sum.Growth
		} else if !slices.Contains(u.Guesses, rec.Guess) {
			u.Guesses = append(u.Guesses, rec.Guess)
		}
		u.Times++
		for i := range rec.Changes {
			u.Bytes += int64(rec.Changes[i].End - rec.Changes[i].Start)
		}
	case *eventlog.Note:
		r.sum.Unverified = r.sum.Unverified || rec.Code == "unverified"
	}
	r.fold.put(rec, 0)
	return nil
}

// Summary returns the result of the recording. It is called once, after the last record.
func (r *Recording) Summary() *Summary {
	r.fold.finish()
	s := r.fold.state
	r.sum.End, r.sum.Threads, r.sum.Processes = endOf(s.end), len(r.callers), max(r.fold.led, r.fold.begun)
	r.sum.Report = s.Report(ReportOptions{})
	return &r.sum
}

// Largest is the process that had most mapped at its peak, nil for none.
func (s *Summary) Largest() (most *ReportProcess) {
	for i := range s.Report.Processes {
		if p := &s.Report.Processes[i]; most == nil || p.Peak > most.Peak {
			most = p
		}
	}
	return most
}

// Tidied reports whether the largest process gave back most of what it had had before it ended.
func (s *Summary) Tidied() bool {
	p := s.Largest()
	return p != nil && p.Tidied()
}

// Tidied reports whether a process had given back most of what it had had: less than half of its peak is left.
func (p *ReportProcess) Tidied() bool {
	const worthTelling = 4 << 20
	return p.Peak > 2*p.Total.Reserved && p.Peak-p.Total.Reserved >= worthTelling
}
