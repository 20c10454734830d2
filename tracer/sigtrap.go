package tracer

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/vm"
)

// The backend BySigtrap. Every change to the mappings of a process is made with its mmap_lock held for writing, and
// the tracepoint mmap_lock:mmap_lock_acquire_returned fires in the thread that has just acquired it. A perf event on
// it with attr.sigtrap sends the thread a SIGTRAP (si_code TRAP_PERF) when it leaves the kernel: a tracee stops for
// that, with the registers of the returned call. So a thread stops once for each call that may have changed mappings,
// and never for any other.
//
// The record in the event's ring carries a time stamp that was taken under the lock. Write sections of one address
// space do not overlap, so the stamps give the kernel's order and no thread needs to be held.

// armed holds the perf events of all threads and what has been read from them.
type armed struct {
	tracepoint tracepoint
	advice     tracepoint // of madvise(2), where it is followed
	unadvised  uint64     // its calls of which no stop has told
	events     []*lockEvent
	newest     uint64 // the newest stamp that was read
	told       uint64 // the newest reported by a Settled stop
	unsettled  bool   // something was handed out since the last Settled stop
	missing    uint64 // unreported locks counted by events now closed
	failed     bool   // the failure has been reported
	failure    error  // why an event first could not be opened
	closing    bool   // the recording is ending: no new events

	shields     map[int]*shield // by thread group
	unprotected []Unprotected
}

// Arm makes t use the backend BySigtrap. It must be called before Attach or Prepare.
func (t *Tracer) Arm() error {
	on, err := lockTracepoint()
	if err != nil {
		return err
	}
	if err := t.holdOn(on); err != nil {
		return err
	}
	if t.advice {
		if t.armed.advice, err = adviceTracepoint(); err == nil {
			err = t.holdOn(t.armed.advice)
		}
		if err != nil {
			return fmt.Errorf("the calls of madvise(2) cannot be watched (CONFIG_FTRACE_SYSCALLS): %w", err)
		}
	}
	t.backend, t.armed.tracepoint, t.armed.shields = BySigtrap, on, make(map[int]*shield)
	return nil
}

// arm gives a thread its perf event. If SIGTRAP is blocked there would be no stop: such a thread is followed by
// PTRACE_SYSCALL until it is unblocked, and the event only gives the order.
func (t *Tracer) arm(th *Thread) {
	if t.backend != BySigtrap || t.armed.closing {
		return
	}
	t.disarm(th)
	ev, err := openLockEvent(th.TID, t.armed.tracepoint)
	if err != nil {
		if t.armed.failure == nil && !errors.Is(err, syscall.ESRCH) {
			t.armed.failure = err
		}
		th.stepping = true
		return
	}
	if t.advice {
		advice, err := openLockEvent(th.TID, t.armed.advice)
		if err != nil {
			ev.close()
			if t.armed.failure == nil && !errors.Is(err, syscall.ESRCH) {
				t.armed.failure = err
			}
			th.stepping = true
			return
		}
		advice.owner, th.advice = th, advice
	}
	ev.owner, th.event = th, ev
	t.armed.events = append(t.armed.events, ev)
	th.stepping = th.blocksTrap()
}

// disarm closes the thread's events.
func (t *Tracer) disarm(th *Thread) {
	if th.advice != nil {
		th.advice.drain()
		t.armed.unadvised += uint64(th.takeAdvice())
		go th.advice.close()
		th.advice = nil
	}
	ev := th.event
	if ev == nil {
		return
	}
	th.event = nil
	t.armed.missing += ev.missing()
	list := t.armed.events
	for i := range list {
		if list[i] == ev {
			list[i] = list[len(list)-1]
			list[len(list)-1] = nil
			t.armed.events = list[:len(list)-1]
			break
		}
	}
	// Kernels before 6.15 wait here for a signal under way, and so for us.
	go ev.close()
}

// ArmFailure returns why a thread could not be given its event, once.
func (t *Tracer) ArmFailure() error {
	err := t.armed.failure
	if err != nil && !t.armed.failed {
		t.armed.failed = true
		return err
	}
	return nil
}

// Unaccounted is how many write locks by tracees the kernel counted without reporting them.
func (t *Tracer) Unaccounted() uint64 {
	n := t.armed.missing
	for _, ev := range t.armed.events {
		n += ev.missing()
	}
	return n
}

// blocksTrap reports whether SIGTRAP is blocked by the thread. For a running thread /proc is read.
func (th *Thread) blocksTrap() bool {
	mask, e := ptraceSigmask(th.TID)
	if e != 0 {
		st, err := readStatus(th.TID)
		return err == nil && st.blocked&trapBit != 0
	}
	return mask&trapBit != 0
}

// owed reports whether one of our signals is on its way to the thread.
func (th *Thread) owed() bool {
	return th.event != nil && th.event.owed || th.advice != nil && th.advice.owed
}

// drain reads the thread's rings.
func (t *Tracer) drain(th *Thread) {
	if th.advice != nil {
		th.advice.drain()
	}
	if th.event != nil {
		t.armed.newest = max(t.armed.newest, th.event.drain())
	}
}

// Pending is the stamp of the thread's first lock that no stop has reported yet: the call is under way. 0 if there is
// none.
func (th *Thread) Pending() uint64 {
	if th.event == nil || len(th.event.open) == 0 {
		return 0
	}
	return th.event.open[0]
}

// Pending yields the threads with a Pending stamp, and the stamp.
func (t *Tracer) Pending(yield func(*Thread, uint64) bool) {
	for _, ev := range t.armed.events {
		if len(ev.open) > 0 && !yield(ev.owner, ev.open[0]) {
			return
		}
	}
}

// copied returns the stamp of the address space copy by which a thread has just created a task, 0 if they share it.
// Other open records are of calls it made before with SIGTRAP blocked: a Missed stop reports them.
func (t *Tracer) copied(th *Thread, child int) (stamp uint64) {
	const locks = 2 // of the old mm and of the new (kernel/fork.c, dup_mmap)
	open := th.event.open
	missed := len(open)
	if missed >= locks && !sharesMM(th.TID, child) {
		missed -= locks
		stamp = open[missed]
	}
	th.event.open = open[:0]
	if missed > 0 && !th.Ignore && !t.attaching {
		th.again = true
		t.ready = append(t.ready, Stop{Kind: Missed, Thread: th, First: open[0], Order: open[missed-1], Count: uint64(missed)})
	}
	return stamp
}

// sharesMM reports whether two tasks use one address space (kcmp(2), KCMP_VM), true if the kernel does not say.
func sharesMM(a, b int) bool {
	const kcmpVM = 1
	differ, _, e := syscall.RawSyscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpVM, 0, 0, 0)
	return e != 0 || differ == 0
}

// takeOpen removes all open records and returns their first and last stamp and their number.
func (th *Thread) takeOpen() (first, last uint64, n int) {
	ev := th.event
	if ev == nil || len(ev.open) == 0 {
		return 0, 0, 0
	}
	n = len(ev.open)
	first, last = ev.open[0], ev.open[n-1]
	ev.open = ev.open[:0]
	return first, last, n
}

// Settle reads all rings, twice: a record is in its ring before its lock is released, so when a record is seen, every
// earlier one of that address space is in its ring already and is found in the second pass. Afterwards every call
// with a stamp up to the one returned has been handed out, or its thread is Pending.
func (t *Tracer) Settle() uint64 {
	newest := t.armed.newest
	for _, ev := range t.armed.events {
		newest = max(newest, ev.drain())
	}
	t.armed.newest = newest
	for _, ev := range t.armed.events {
		t.armed.newest = max(t.armed.newest, ev.drain())
	}
	return newest
}

// settled makes the Settled stop at the end of a round. It always reports true: it has filled t.stop.
func (t *Tracer) settled() bool {
	t.armed.unsettled = false
	newest := t.armed.newest
	if len(t.armed.events) > 1 {
		newest = t.Settle()
		t.seekBlocked()
	}
	t.armed.told = newest
	t.stop = Stop{Kind: Settled, Order: newest}
	return true
}

// trapped handles a signal-delivery-stop for SIGTRAP. ours reports whether the signal is one of ours, which is not
// delivered.
func (t *Tracer) trapped(th *Thread) (ours, out bool) {
	info, e := ptraceSiginfo(th.TID)
	if e != 0 || int32(info[1]) == ptraceEventExit<<8|int32(unix.SIGTRAP) {
		return true, false // killed, on the way to its exit stop or there
	}
	if int32(info[1]) != trapPerf || !isOurData(info[3]) {
		return false, false
	}
	th.toDeliver = 0
	if th.event != nil {
		th.event.owed = false
	}
	if th.advice != nil {
		th.advice.owed = false
	}
	flags := uint32(info[4] >> 32)
	if flags&trapPerfAsync != 0 && !th.stepping {
		return true, t.missed(th)
	}
	if info[3] == adviceData && th.Pending() == 0 {
		return true, t.advised(th)
	}
	return true, t.completed(th)
}

// completed handles the stop after a call that took mmap_lock, and reports whether it filled t.stop.
func (t *Tracer) completed(th *Thread) bool {
	t.protect(th)
	if th.Pending() == 0 || th.Ignore {
		th.takeOpen()
		t.Resume(th)
		return false
	}
	if ptraceGetRegs(th.TID, &th.regs) != 0 {
		return false // killed here: its exit stop or its end will report the call
	}
	first, last, n := th.takeOpen()
	s := Stop{Kind: Returned, Thread: th, Order: last}
	if n > 1 {
		s.First, s.Count = first, uint64(n-1)
	}
	if !t.decode(th) || th.call.Op.Kind == vm.OpPages {
		s.Kind, s.Number = Touched, int(int64(th.regs.Orig_rax))
		if harmless(s.Number) && n == 1 {
			t.Resume(th)
			return false
		}
	} else {
		s.Call, s.Result = &th.call, th.result()
	}
	return t.out(s)
}

// result is the return value of the call in th.regs.
func (th *Thread) result() int64 {
	if th.call.ABI == ABI32 {
		return compatResult(uint32(th.regs.Rax))
	}
	return int64(th.regs.Rax)
}

// decode determines the call from the registers after it, and reports whether the call is followed.
func (t *Tracer) decode(th *Thread) bool {
	if int64(th.regs.Orig_rax) < 0 {
		return false
	}
	abi := ABI64
	if uint32(th.regs.Orig_rax)&x32Bit != 0 {
		abi = ABIX32
	}
	if !bySyscallInstruction(&th.regs) {
		var info syscallInfo
		if ptraceSyscallInfo(th.TID, &info) == 0 && info.arch == unix.AUDIT_ARCH_I386 {
			abi = ABI32
		}
	}
	return th.enter(abi, t.table)
}

// stepped handles a syscall-stop of a thread that is followed by PTRACE_SYSCALL, and reports whether it filled t.stop.
func (t *Tracer) stepped(th *Thread) bool {
	var info syscallInfo
	if ptraceSyscallInfo(th.TID, &info) != 0 {
		return false
	}
	if info.op == syscallInfoEntry {
		th.entering, th.followed = true, false
		if first, last, n := th.takeOpen(); n > 0 { // locks of page faults, not of this call
			return t.out(Stop{Kind: Touched, Thread: th, First: first, Order: last, Number: -1, Count: uint64(n - 1)})
		}
		t.Resume(th)
		return false
	}
	th.entering = false
	if th.event == nil {
		return t.unstamped(th)
	}
	th.stepping = th.blocksTrap()
	if t.advice && th.Pending() == 0 {
		return t.advised(th)
	}
	return t.completed(th)
}

// unstamped handles the return of a call of a thread that has no perf event, and reports whether it filled t.stop. The
// call's place in the order is known only by the time of its return.
func (t *Tracer) unstamped(th *Thread) bool {
	if ptraceGetRegs(th.TID, &th.regs) != 0 {
		return false
	}
	if th.Ignore || !t.decode(th) || th.call.Op.Kind == 0 || th.rolledBack(th.regs.Rax) {
		t.Resume(th)
		return false
	}
	if th.call.Op.Kind == vm.OpPages {
		return t.out(Stop{Kind: Advised, Thread: th, Call: &th.call, Result: th.result()})
	}
	return t.out(Stop{Kind: Returned, Thread: th, Call: &th.call, Result: th.result(), Order: Clock()})
}

// harmless reports whether the system call with this number takes the lock for writing without changing address,
// permissions or file of any mapping. Page faults (-1) and unknown numbers are not harmless.
func harmless(nr int) bool {
	switch nr {
	case unix.SYS_MLOCK, unix.SYS_MLOCK2, unix.SYS_MUNLOCK, unix.SYS_MLOCKALL, unix.SYS_MUNLOCKALL, unix.SYS_MBIND,
		unix.SYS_SET_MEMPOLICY_HOME_NODE, unix.SYS_MIGRATE_PAGES, unix.SYS_PKEY_ALLOC, unix.SYS_PKEY_FREE, unix.SYS_MSEAL,
		unix.SYS_MADVISE, unix.SYS_PROCESS_MADVISE, unix.SYS_CLONE, unix.SYS_CLONE3, unix.SYS_FORK, unix.SYS_VFORK,
		unix.SYS_ARCH_PRCTL, unix.SYS_EXECVE, unix.SYS_EXECVEAT:
		return true
	}
	return false
}

// ptraceSiginfo is the siginfo_t of a signal-delivery-stop, in words: si_signo and si_errno, si_code, si_addr,
// si_perf_data, si_perf_type and si_perf_flags (include/uapi/asm-generic/siginfo.h).
func ptraceSiginfo(tid int) (info [16]uint64, e syscall.Errno) {
	e = ptrace(unix.PTRACE_GETSIGINFO, tid, 0, uintptr(unsafe.Pointer(&info)))
	return info, e
}
