package tracer

import (
	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/vm"
)

// Kind says what happened at a Stop.
type Kind uint8

// The kinds of stops. At all but Gone and Woken the thread waits for Source.Resume.
const (
	// Entered: the thread is about to perform Stop.Call. To hold it, resume it later.
	Entered Kind = iota
	// Returned: Stop.Call has returned Stop.Result. A source without Entered stops gives the call's place in the
	// kernel's order in Stop.Order.
	Returned
	// Cloned: Stop.Call has created the task Stop.Child, which does not run yet.
	Cloned
	// Started: the first stop of a task that Cloned announced, or of one found at attach.
	Started
	// Execed: the thread runs a new image; all other threads of its group are gone. Stop.Former is the tid
	// that called execve. Thread is the group's leader from now on.
	Execed
	// Exiting: the thread is about to end; its memory can still be read. Where it was inside a call,
	// Stop.Call is set and Stop.Result is the call's result; NotExecuted where the kernel skipped it.
	Exiting
	// Gone: the thread has ended with Stop.Status. There is nothing to resume.
	Gone
	// GroupStopped: the thread has joined a group-stop with signal Stop.Status.StopSignal(). There is nothing to
	// resume: SIGCONT resumes it.
	GroupStopped
	// Woken: Wake was called; Stop.Thread is nil.
	Woken
	// Quiet: after Quiesce, all threads are stopped; Stop.Thread is nil.
	Quiet
	// Settled: every call with a place in the order up to Stop.Order has been handed out, except those of Pending
	// threads; Stop.Thread is nil. Only from a source that knows the order.
	Settled
	// Touched: the thread took mmap_lock for writing at Stop.Order, not by a followed call but by system call
	// Stop.Number or a page fault (-1): a stack has grown, a driver has mapped.
	Touched
	// Noticed: the thread is about to do what Stop.Notice says. It is resumed as at Entered; no return follows.
	Noticed
	// Missed: the thread took mmap_lock for writing Stop.Count times, from Stop.First to Stop.Order, without being
	// stopped: only the kernel's view can show what it did.
	Missed
	// Advised: Stop.Call, a call of madvise(2) that moves pages (vm.OpPages), has returned Stop.Result. Only the backend
	// BySigtrap, which does not see the entry of a call, has this stop; the others report such a call as any other, by
	// Entered and Returned.
	Advised
)

// A Stop is one thing that happened to a tracee. It is valid until the next call of Source.Next.
type Stop struct {
	Kind        Kind
	Thread      *Thread
	Call        *Call // nil where there is none
	Result      int64 // -errno on failure, as the kernel's register holds it
	Left        bool  // of Gone: it was detached to die, and Status is the expected cause
	NotExecuted bool  // also of Returned, if a seccomp filter of the program answered the call
	Child       int
	Former      int
	Status      unix.WaitStatus
	// Order is the call's place in the kernel's order of changes to its address space if the source knows it (a time
	// stamp taken under mmap_lock); 0 if the caller has to find it by holding calls. For Cloned it is the place of
	// the copy, for Exiting that of Call.
	Order uint64
	// Path is, for Execed, the path given to execve if Call was not seen at its entry.
	Path   string
	Notice Notice
	Number int
	// First and Count also describe, for Returned, Touched and Exiting, earlier acquisitions of mmap_lock that no
	// stop has reported. They may belong to the call itself: a stack that grew while it was served, or, for Exiting and where
	// Result is an error or Call an execve, all that it did. The last of them is then the one at Order.
	First, Count uint64
}

// A Source hands out stops, in the order in which it learns of them. Tracer is one.
type Source interface {
	// Next blocks until something happened. It returns io.EOF when no tracee is left.
	Next() (*Stop, error)
	// Resume resumes a thread handed out by a Stop.
	Resume(*Thread)
	// Drop resumes a thread at a Stop and stops following it: Next returns no more of its stops.
	Drop(*Thread)
}

// ABI is the system call convention that a call used.
type ABI uint8

// The conventions an x86-64 kernel may serve.
const (
	ABI64  ABI = iota
	ABI32      // i386: int 0x80, or a 32-bit program
	ABIX32     // x32: 64-bit numbers with bit 30 set
)

// String returns the name used in notes.
func (a ABI) String() string {
	switch a {
	case ABI32:
		return "i386"
	case ABIX32:
		return "x32"
	}
	return "x86-64"
}

// Call is a followed system call of a thread. Args are the raw argument registers.
type Call struct {
	Syscall *Syscall
	ABI     ABI
	Args    [6]uint64
	Op      vm.Op
}
