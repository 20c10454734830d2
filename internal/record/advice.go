package record

import (
	"fmt"
	"syscall"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// Advice that moves pages (vm.OpPages) changes no mapping: it passes by the gate, and its line stands where it returns. What of its range
// is in memory is counted while its thread stands still before the call and behind it. That walks the page tables that
// the call walks, too, and frees nothing: it costs less than the call does.

// advises handles a thread that is about to make a followed call of madvise(2) that moves pages.
func (r *Recorder) advises(t *task, c *tracer.Call) {
	f := &t.pending
	*f = pending{task: t, space: t.space, call: *c, taken: f.taken[:0]}
	f.Owner = f
	r.out.noteCompat(t, c)
	f.before = residentOf(f)
	r.stacks.walk(f)
	r.source.Resume(t.thread)
}

// advised handles the return of a call that advises has handled.
func (r *Recorder) advised(f *pending, result int64) {
	errno := errnoOf(result)
	if !f.space.ended && !restarting(errno) {
		r.out.advice(f, result, errno, residentOf(f))
	}
	f.call.Syscall = nil
}

// toldOfAdvice handles a call of madvise(2) that was not reported before it had returned (backend sigtrap).
func (r *Recorder) toldOfAdvice(t *task, s *tracer.Stop) {
	if errno := errnoOf(s.Result); !t.space.ended && !restarting(errno) {
		r.out.noteCompat(t, s.Call)
		f := &pending{task: t, space: t.space, call: *s.Call, result: s.Result}
		r.stacks.walk(f)
		r.backlog.behindCalls(t, func() { r.out.advice(f, f.result, errno, nil) })
	}
	r.source.Resume(t.thread)
}

// noteUnadvised writes a note, at the end, with the number of calls of madvise(2) that were not reported.
func (b *backend) noteUnadvised(out *output) {
	if b.unadvised > 0 {
		out.note("info", "advice-incomplete", fmt.Sprintf("%d calls of madvise are missing: their threads blocked SIGTRAP, as the C library does where a thread ends and gives back its stack; --backend seccomp and syscall see them", b.unadvised))
	}
}

// residentOf counts the bytes of the call's range that are in memory, nil if that cannot be determined.
func residentOf(f *pending) *int64 {
	at := f.call.Op.Range
	if at.Start%vm.PageSize != 0 {
		return nil // the call will fail
	}
	pages := &f.space.pages
	pages.TID = f.task.thread.TID // where it is not open yet
	n, ok := pages.InMemory(at)
	if !ok {
		return nil
	}
	return &n
}

// advice writes the record of a call of madvise(2). left is how many bytes of its range are in memory after it, nil if
// unknown.
func (o *output) advice(f *pending, result int64, errno syscall.Errno, left *int64) {
	a := &eventlog.Advice{T: o.now(), After: f.space.events.Last(), Space: f.space.id, PID: f.task.pid, TID: f.task.thread.TID,
		Call: f.call.Syscall.Name, Args: o.args(nil, f), Before: f.before, Left: left}
	if errno != 0 {
		a.Error = errnoName(errno)
	} else {
		a.Result = &eventlog.Result{Value: result}
	}
	if f.stack != 0 {
		stack := f.stack
		a.Stack = &stack
	}
	o.queue.Put(a)
}
