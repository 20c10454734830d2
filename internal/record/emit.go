package record

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// number takes the next event number for a space: the event's place in the order is settled now.
func (r *Recorder) number(sp *space, f *flight) uint64 {
	r.events++
	f.previous = sp.lastEvent
	sp.lastEvent = r.events
	return r.events
}

// begin prepares the record of a call whose place is settled now.
func (r *Recorder) begin(f *flight, number uint64) *eventBox {
	b := r.box.box()
	c := &f.call
	b.Event = eventlog.Event{Seq: number, T: r.now(), Space: f.task.space.id, PID: f.task.pid, TID: f.task.thread.TID,
		Call: c.Syscall.Name}
	b.open, b.flight = false, f
	b.Args = b.args[:0]
	for i, a := range c.Syscall.Args {
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
func (r *Recorder) finish(f *flight, b *eventBox, result int64, errno syscall.Errno, changes []ledger.Change) {
	if errno != 0 {
		b.Error = errnoName(errno)
	} else {
		b.result = eventlog.Result{Value: result, Address: f.call.Syscall.AddrRet}
		b.Result = &b.result
	}
	if f.stack != 0 {
		b.stack = f.stack
		b.Stack = &b.stack
	}
	b.setChanges(r.words, changes)
	b.Uncertain = f.uncertain
	b.flight = nil
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
func (r *Recorder) drift(sp *space, changes []ledger.Change, guess string, beside uint64) {
	d := &eventlog.Drift{T: r.now(), After: sp.lastEvent, Space: sp.id, Changes: r.words.changes(changes), Guess: guess}
	if beside != 0 {
		d.Beside = &beside
	}
	r.drifts++
	r.touchedCode(sp, changes)
	r.box.put(d, nil)
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
	r.box.put(&eventlog.Note{T: r.now(), Level: level, Code: code, Text: text}, nil)
	if level == "warning" {
		r.warn(text)
	}
}

func (r *Recorder) warn(text string) {
	if r.opts.Warn != nil {
		fmt.Fprintln(r.opts.Warn, text)
	}
}
