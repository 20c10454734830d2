package tracer

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wakeSignal interrupts the blocking wait. It is a real-time signal that neither Go's runtime nor the C
// libraries use; its handler is Go's own, with SA_RESTART taken away so that wait4 returns EINTR.
const wakeSignal = syscall.Signal(43)

// Tracer is the Source that uses ptrace: with a seccomp filter for a program it launches, by
// PTRACE_SYSCALL otherwise.
type Tracer struct {
	table     *numbers
	threads   map[int]*Thread
	groups    map[int]int // live threads of each thread group
	filter    bool        // the tracees carry our filter
	backend   Backend
	armed     armed
	stopCost  time.Duration // see StopCost
	follow    bool          // children are traced too
	prelude   bool          // the launch helper runs; nothing is handed out
	parking   bool          // stopped threads stay stopped; see Quiesce
	attaching bool          // Attach collects the first stops
	newborn   map[int]*Thread
	queue     []wait
	ready     []Stop // stops made up by the tracer itself
	stop      Stop

	launched int              // the program, 0 where we attach
	heard    [32]atomic.Int64 // by signal; see hear

	tid    int // our own thread
	woken  atomic.Bool
	wakeCh chan os.Signal
}

// wait is one answer of wait4.
type wait struct {
	tid    int
	status unix.WaitStatus
}

// New returns a Tracer. It must be called on the goroutine, locked to its thread, that will use it.
func New() *Tracer {
	t := &Tracer{
		table: newNumbers(), threads: make(map[int]*Thread), groups: make(map[int]int),
		newborn: make(map[int]*Thread), tid: unix.Gettid(), follow: true, backend: BySyscall,
		wakeCh: make(chan os.Signal, 1),
	}
	signal.Notify(t.wakeCh, wakeSignal)
	changeSigaction(wakeSignal, 0, saRestart)
	// Without SA_NOCLDSTOP each stop of a tracee would send us a SIGCHLD, which costs as much as the stop.
	changeSigaction(syscall.SIGCHLD, saNoCldStop, 0)
	return t
}

// Wake makes Next return a Stop of kind Woken soon. It may be called from any goroutine.
func (t *Tracer) Wake() {
	if !t.woken.CompareAndSwap(false, true) {
		return
	}
	go func() {
		// The signal is lost where it arrives just before the wait begins, so it is repeated until seen.
		for t.woken.Load() {
			_ = unix.Tgkill(os.Getpid(), t.tid, wakeSignal)
			time.Sleep(2 * time.Millisecond)
		}
	}()
}

// Threads returns the number of tracees.
func (t *Tracer) Threads() int { return len(t.threads) }

// Next implements Source.
func (t *Tracer) Next() (*Stop, error) {
	for {
		if len(t.ready) > 0 {
			t.stop = t.ready[0]
			t.ready = t.ready[1:]
			return &t.stop, nil
		}
		if len(t.queue) > 0 {
			w := t.queue[0]
			t.queue = t.queue[1:]
			if t.handle(w) {
				return &t.stop, nil
			}
			continue
		}
		if t.armed.unsettled && t.settled() {
			return &t.stop, nil
		}
		if t.woken.CompareAndSwap(true, false) {
			t.armed.unsettled = t.backend == BySigtrap
			t.stop = Stop{Kind: Woken}
			return &t.stop, nil
		}
		if t.parking && t.allStopped() {
			t.stop = Stop{Kind: Quiet}
			return &t.stop, nil
		}
		if len(t.threads) == 0 {
			if len(t.newborn) == 0 {
				return nil, io.EOF
			}
			t.adoptOrphans(0, false)
			continue
		}
		if err := t.collect(); err != nil {
			return nil, err
		}
	}
}

// collect waits for at least one tracee and then takes all that have stopped meanwhile: waitpid hands out
// the first stopped task of its list, so that serving one at a time would starve the late ones.
func (t *Tracer) collect() error {
	tid, status, e := wait4(true)
	switch e {
	case 0:
	case syscall.EINTR:
		return nil
	case syscall.ECHILD:
		// Tracees that exec from another thread took with it vanish without a word.
		clear(t.threads)
		clear(t.newborn)
		return nil
	default:
		return fmt.Errorf("wait4: %w", e)
	}
	if t.queue == nil || cap(t.queue) < 64 {
		t.queue = make([]wait, 0, 256)
	}
	t.queue = append(t.queue[:0], wait{tid, status})
	for len(t.threads) > 1 {
		tid, status, e := wait4(false)
		if e != 0 || tid == 0 {
			break
		}
		t.queue = append(t.queue, wait{tid, status})
	}
	return nil
}

// Resume implements Source. Where the thread has vanished under us its exit status follows.
func (t *Tracer) Resume(th *Thread) {
	if th.state != stopped || t.parking && !th.entering {
		return
	}
	if t.parking && !th.followed {
		th.interrupt() // again, to stop it at the return
	}
	if th.again {
		th.again = false
		return
	}
	if th.grouped {
		// PTRACE_CONT would set the thread running although its process is stopped.
		th.state = listening
		ptrace(unix.PTRACE_LISTEN, th.TID, 0, 0)
		return
	}
	if t.groups[th.TGID] > 1 && th.passedBy() {
		return
	}
	request := unix.PTRACE_CONT
	switch t.backend {
	case BySyscall:
		request = unix.PTRACE_SYSCALL
	case BySeccomp:
		if th.inCall {
			request = unix.PTRACE_SYSCALL
		}
	case BySigtrap:
		if th.stepping {
			request = unix.PTRACE_SYSCALL
		}
	}
	if t.prelude {
		request = unix.PTRACE_CONT
	}
	sig := th.toDeliver
	th.toDeliver = 0
	th.state = running
	ptrace(request, th.TID, 0, uintptr(sig))
}

func (t *Tracer) add(th *Thread) {
	t.threads[th.TID] = th
	t.groups[th.TGID]++
}

func (t *Tracer) remove(th *Thread) {
	if t.threads[th.TID] != th {
		return
	}
	t.disarm(th)
	delete(t.threads, th.TID)
	if t.groups[th.TGID]--; t.groups[th.TGID] <= 0 {
		delete(t.groups, th.TGID)
		delete(t.armed.shields, th.TGID)
	}
}

// handle acts on one answer of wait4 and reports whether it filled t.stop for the caller.
func (t *Tracer) handle(w wait) bool {
	th := t.threads[w.tid]
	if w.status.Exited() || w.status.Signaled() {
		delete(t.newborn, w.tid)
		if th == nil {
			return false
		}
		t.drain(th)
		left, _, _ := th.takeOpen()
		t.remove(th)
		if t.groups[th.TGID] == 0 {
			t.adoptOrphans(th.TGID, th.Ignore)
		}
		th.state = running
		return t.out(Stop{Kind: Gone, Thread: th, Status: w.status, Order: left})
	}
	if th == nil {
		if t.prelude { // a thread of the helper's Go runtime; it ends with the exec
			ptrace(unix.PTRACE_CONT, w.tid, 0, 0)
			return false
		}
		t.bear(w)
		return false
	}
	why := th.arrive(w.status)
	t.drain(th)
	if t.prelude && why != execStop {
		t.Resume(th)
		return false
	}
	switch why {
	case signalStop:
		if t.backend == BySigtrap && th.toDeliver == int(unix.SIGTRAP) {
			if ours, out := t.trapped(th); ours {
				return out
			}
			t.giveTrap(th)
		}
		if th.faultsForever() {
			return t.leaveToDie(th)
		}
		t.hear(th)
	case seccompStop:
		return t.entered(th)
	case syscallStop:
		if t.backend == BySigtrap {
			return t.stepped(th)
		}
		if th.inCall {
			return t.returned(th)
		}
		return t.entered(th)
	case cloneStop:
		return t.cloned(th)
	case execStop:
		return t.execed(th)
	case exitStop:
		return t.exiting(th)
	case groupStop:
		if !th.born {
			return t.started(th)
		}
		t.Resume(th)
		return t.out(Stop{Kind: GroupStopped, Thread: th, Status: w.status})
	case trapStop:
		if !th.born {
			return t.started(th)
		}
		if th.Pending() != 0 {
			return t.overdue(th)
		}
	}
	t.Resume(th)
	return false
}

func (t *Tracer) out(s Stop) bool {
	t.armed.unsettled = t.backend == BySigtrap
	if s.Thread != nil && s.Thread.Ignore && s.Kind != Gone {
		if s.Kind != GroupStopped {
			t.Resume(s.Thread)
		}
		return false
	}
	t.stop = s
	return true
}

// entered handles a syscall-enter-stop.
func (t *Tracer) entered(th *Thread) bool {
	th.inCall, th.followed, th.entering = true, false, true
	if th.Ignore {
		if t.filter {
			th.inCall = false
		}
		t.Resume(th)
		return false
	}
	if ptraceGetRegs(th.TID, &th.regs) != 0 {
		return false
	}
	abi, sure := t.table.guess(th.regs.Orig_rax)
	if !t.filter {
		if s := t.table.lookup(abi, th.regs.Orig_rax); s == nil {
			t.Resume(th)
			return false
		}
		var info syscallInfo
		if ptraceSyscallInfo(th.TID, &info) != 0 {
			return false
		}
		if info.op == syscallInfoExit { // of a call that began before we looked
			th.entering = false
			return t.returned(th)
		}
		if info.arch == unix.AUDIT_ARCH_I386 {
			abi = ABI32
		} else if abi == ABI32 {
			abi = ABI64
		}
	} else if !sure && !bySyscallInstruction(&th.regs) {
		msg, e := ptraceEventMessage(th.TID)
		if e != 0 {
			return false
		}
		abi = ABI(msg)
	}
	if !th.enter(abi, t.table) {
		if t.filter {
			th.inCall = false
		}
		t.Resume(th)
		return false
	}
	if t.filter && th.call.Op.CloneFlags != 0 {
		th.clearUntraced()
	}
	th.followed = true
	return t.out(Stop{Kind: Entered, Thread: th, Call: &th.call})
}

// bySyscallInstruction reports whether a thread came into the kernel by the SYSCALL instruction, which leaves the
// return address in rcx and the flags in r11 (Intel SDM); int 0x80 and SYSENTER, the ways of i386 calls,
// leave there what the program had, and no program has its own next instruction there.
func bySyscallInstruction(r *unix.PtraceRegs) bool {
	return r.Rcx == r.Rip && r.R11 == r.Eflags
}

// returned handles a syscall-exit-stop.
func (t *Tracer) returned(th *Thread) bool {
	th.inCall = false
	if !th.followed {
		t.Resume(th)
		return false
	}
	th.followed = false
	th.uncover()
	rax, e := ptracePeekUser(th.TID, offsetRAX)
	if e != 0 {
		th.inCall, th.followed = true, true // killed here: its exit stop tells the result
		return false
	}
	result := int64(rax)
	if th.call.ABI == ABI32 {
		result = compatResult(uint32(rax))
	}
	return t.out(Stop{Kind: Returned, Thread: th, Call: &th.call, Result: result, NotExecuted: th.rolledBack(rax)})
}

// compatResult widens what an i386 call returned: the kernel keeps addresses above 2 GiB positive and
// only the last page of values for errors.
func compatResult(eax uint32) int64 {
	if eax >= 0xfffff001 {
		return int64(int32(eax))
	}
	return int64(eax)
}
