package record

import (
	"fmt"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/tracer"
)

// output makes records and puts them into the queue. It belongs to the tracer's goroutine, except warn and the
// methods in sinks.go.
type output struct {
	queue    *order.Queue
	encoder  *encoder
	start    time.Time
	warnings io.Writer // nil for none

	stacks, checks, drifts uint64
	sent                   struct{ events, drifts uint64 } // belongs to the sinks' goroutine
	sinkFailed             atomic.Bool                     // set by the sinks' goroutine
}

func newOutput(warnings io.Writer) *output {
	return &output{queue: order.NewQueue(), encoder: newEncoder(), start: time.Now(), warnings: warnings}
}

// now is the time of a record: nanoseconds since the recording began.
func (o *output) now() int64 { return time.Since(o.start).Nanoseconds() }

// begin settles a call's place in the order and prepares its event.
func (o *output) begin(f *pending) *order.PendingEvent {
	b := o.queue.Begin(&f.space.events)
	c := &f.call
	b.T, b.Space, b.PID, b.TID, b.Call = o.now(), f.space.id, f.task.pid, f.task.thread.TID, c.Syscall.Name
	b.Args = o.args(b.Room.Args[:0], f)
	return b
}

// args appends the arguments of a call to list.
func (o *output) args(list []eventlog.Arg, f *pending) []eventlog.Arg {
	c := &f.call
	for i, a := range c.Syscall.Args {
		if f.partial && a.Kind != tracer.Text {
			continue
		}
		v := c.Args[i]
		arg := eventlog.Arg{Name: a.Name, Value: int64(v)}
		switch a.Kind {
		case tracer.Int:
			arg.Value = int64(int32(v))
		case tracer.Address:
			arg.Address = true
		case tracer.Text:
			arg.Address, arg.Text = f.text == "", f.text
		}
		list = append(list, arg)
	}
	return list
}

// finish completes the record with how the call ended.
func (o *output) finish(f *pending, b *order.PendingEvent, result int64, errno syscall.Errno, changes []ledger.Change) {
	if errno != 0 {
		b.Error = errnoName(errno)
	} else {
		b.Room.Result = eventlog.Result{Value: result, Address: f.call.Syscall.AddrRet}
		b.Result = &b.Room.Result
	}
	if f.stack != 0 {
		b.Room.Stack = f.stack
		b.Stack = &b.Room.Stack
	}
	if f.stamp == 0 {
		f.readLimits(errno)
	}
	b.Limits = f.limits
	o.encoder.setChanges(b, changes)
	b.Uncertain = f.Uncertain
}

func errnoName(e syscall.Errno) string {
	if e == syscall.EOPNOTSUPP {
		return "EOPNOTSUPP" // of the two names, the one that system calls' man pages use
	}
	if name := unix.ErrnoName(e); name != "" {
		return name
	}
	return fmt.Sprintf("E%d", int(e))
}

// drift writes changes that the kernel shows and no call explains; the ledger already includes them. after is the
// event of the space behind which they are placed.
func (o *output) drift(sp *space, drifts []mm.Drift, after uint64) {
	for i := range drifts {
		from := &drifts[i]
		d := &eventlog.Drift{T: o.now(), After: after, Space: sp.id, Changes: o.encoder.changes(from.Changes), Guess: from.Guess}
		if from.Beside != 0 {
			beside := from.Beside
			d.Beside = &beside
		}
		o.drifts++
		sp.touchedCode(from.Changes)
		o.queue.Put(d)
	}
}

// threadLine writes the start of a thread, or of its new image.
func (o *output) threadLine(t *task, what string) {
	regs := t.thread.Regs()
	o.queue.Put(&eventlog.Thread{T: o.now(), TID: t.thread.TID, PID: t.pid, Space: t.space.id, What: what, Name: t.name,
		NsTID: t.nsTID, SP: eventlog.Hex(regs.Rsp), TLS: eventlog.Hex(regs.Fs_base)})
}

// note writes a note to the log, and a warning to the user.
func (o *output) note(level, code, text string) {
	o.queue.Put(&eventlog.Note{T: o.now(), Level: level, Code: code, Text: text})
	if level == "warning" {
		o.warn(text)
	}
}

// warn may be called from any goroutine.
func (o *output) warn(text string) {
	if o.warnings != nil {
		fmt.Fprintln(o.warnings, text)
	}
}

// noteCompat says once of a space that its calls are not all of the 64-bit kind.
func (o *output) noteCompat(t *task, c *tracer.Call) {
	if c.ABI != tracer.ABI64 && !t.space.compat {
		t.space.compat = true
		o.note("info", "compat-calls", fmt.Sprintf("pid %d makes %v system calls: their effects are read from the kernel; of stacks of 32-bit code only the pc is recorded", t.pid, c.ABI))
	}
}

// incomplete notes that the kernel counted calls of which no stop told.
func (o *output) incomplete(count uint64, text string) {
	if count > 0 {
		o.note("info", "incomplete", text)
	}
}
