package report

import (
	"fmt"
	"io"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/strace"
	"github.com/vmblame/vmblame/internal/text"
)

// Bound reports the event by which an address space becomes larger than a number of bytes, with its call and stack:
// once for each space, and again when the space returns from below the bound to a new maximum. The pipeline must send
// names before the events that need them.
type Bound struct {
	w      io.Writer
	limit  int64 // bytes
	look   text.Style
	names  *analysis.Names
	spaces map[int]*bounded
	tids   map[int]string // names of threads
}

// bounded is the size of an address space in relation to the bound.
type bounded struct {
	pid    int
	name   string
	mapped int64
	over   bool  // it has been above the bound since it was below
	most   int64 // that it has had above the bound
}

var _ eventlog.Sink = (*Bound)(nil)

// NewBound returns a sink that writes to w, in the language of look, when more than limit bytes are mapped.
func NewBound(w io.Writer, limit int64, look text.Style) *Bound {
	return &Bound{w: w, limit: limit, look: text.Style{Whole: true, Words: look.Words}, names: analysis.NewNames(true, classify.Known()), spaces: map[int]*bounded{}, tids: map[int]string{}}
}

// Put implements eventlog.Sink. It returns the error of writing.
func (u *Bound) Put(r eventlog.Record) error {
	switch r := r.(type) {
	case *eventlog.Module, *eventlog.Stack, *eventlog.Symbol:
		u.names.Put(r)
	case *eventlog.Thread:
		if r.Name != "" {
			u.tids[r.TID] = text.Printable(r.Name)
		}
		if r.What == "exit" {
			delete(u.tids, r.TID)
		}
	case *eventlog.Space:
		return u.begin(r)
	case *eventlog.Event:
		if sp := u.spaces[r.Space]; sp != nil && sp.change(r.Changes, u.limit) {
			return u.tell(r, sp)
		}
	case *eventlog.Drift:
		if sp := u.spaces[r.Space]; sp != nil && sp.change(r.Changes, u.limit) {
			_, err := fmt.Fprintf(u.w, "vmblame: %s\n", u.look.Say("%s, without a traced call (%s)", u.crossed(sp, r.T), u.look.Told(r.Guess)))
			return err
		}
	}
	return nil
}

func (u *Bound) begin(r *eventlog.Space) error {
	sp := &bounded{pid: r.PID, name: processText(analysis.ProcessName(r.Argv, "", r.Exe), r.Exe)}
	u.spaces[r.Space] = sp
	for i := range r.Mappings {
		sp.mapped += int64(r.Mappings[i].End - r.Mappings[i].Start)
	}
	if !sp.crosses(u.limit) || r.Cause == "fork" {
		return nil
	}
	_, err := fmt.Fprintf(u.w, "vmblame: %s\n", u.look.Say("%s, from its beginning (%s)", u.crossed(sp, r.T), r.Cause))
	return err
}

// change counts what an event did, and reports whether the bound has been crossed by it.
func (b *bounded) change(list []eventlog.Change, limit int64) bool {
	for i := range list {
		n := int64(list[i].End - list[i].Start)
		if list[i].Was != nil {
			b.mapped -= n
		}
		if list[i].Now != nil {
			b.mapped += n
		}
	}
	return b.crosses(limit)
}

// crosses reports whether the space has come from below the bound to more than it ever had.
func (b *bounded) crosses(limit int64) bool {
	crossed := !b.over && b.mapped > max(limit, b.most)
	b.over = b.mapped > limit && (b.over || crossed)
	if b.over {
		b.most = max(b.most, b.mapped)
	}
	return crossed
}

func (u *Bound) crossed(sp *bounded, t int64) string {
	return u.look.Say("pid %d %s has %s mapped, more than %s, at %s", sp.pid, sp.name, text.Size(sp.mapped), text.Size(u.limit), text.When(t))
}

// tell prints the event that crossed the bound.
func (u *Bound) tell(r *eventlog.Event, sp *bounded) error {
	b := []byte("vmblame: " + u.look.Say("%s, by thread %s (event %d):", u.crossed(sp, r.T), analysis.ThreadLabel(r.TID, u.tids[r.TID]), r.Seq) + "\n")
	b = append(strace.AppendCall(b, r), '\n')
	if r.Stack != nil {
		frames, end := u.names.Frames(*r.Stack)
		b = appendStack(b, frames, end, u.look)
	}
	_, err := u.w.Write(b)
	return err
}
