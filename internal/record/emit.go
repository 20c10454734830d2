package record

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// begin settles a call's place in the order and prepares its event.
func (r *Recorder) begin(f *pending) *order.PendingEvent {
	b := r.queue.Begin(&f.space.events)
	c := &f.call
	b.T, b.Space, b.PID, b.TID, b.Call = r.now(), f.space.id, f.task.pid, f.task.thread.TID, c.Syscall.Name
	b.Args = b.Room.Args[:0]
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
		b.Args = append(b.Args, arg)
	}
	return b
}

// finish completes the record with how the call ended.
func (r *Recorder) finish(f *pending, b *order.PendingEvent, result int64, errno syscall.Errno, changes []ledger.Change) {
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
	r.encoder.setChanges(b, changes)
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

// drift writes what the kernel shows and no call explains; the ledger has taken it over already.
func (r *Recorder) drift(sp *space, drifts []mm.Drift) {
	for i := range drifts {
		from := &drifts[i]
		d := &eventlog.Drift{T: r.now(), After: sp.events.Last(), Space: sp.id, Changes: r.encoder.changes(from.Changes), Guess: from.Guess}
		if from.Beside != 0 {
			beside := from.Beside
			d.Beside = &beside
		}
		r.drifts++
		r.touchedCode(sp, from.Changes)
		r.queue.Put(d)
	}
}

// touchedCode makes the unwinder forget what it knows of executable pages that changed.
func (r *Recorder) touchedCode(sp *space, changes []ledger.Change) {
	for i := range changes {
		c := &changes[i]
		if c.Was != nil && c.Was.Perms&vm.Exec != 0 || c.Now != nil && c.Now.Perms&vm.Exec != 0 {
			sp.walker.Invalidate(c.Range)
		}
	}
}

// note writes a note to the log, and a warning to the user.
func (r *Recorder) note(level, code, text string) {
	r.queue.Put(&eventlog.Note{T: r.now(), Level: level, Code: code, Text: text})
	if level == "warning" {
		r.warn(text)
	}
}

func (r *Recorder) warn(text string) {
	if r.opts.Warn != nil {
		fmt.Fprintln(r.opts.Warn, text)
	}
}
