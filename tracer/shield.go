package tracer

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// When a tracer is killed the kernel detaches its tracees, each with the signal of its signal-delivery-stop. Ours is
// a SIGTRAP, which kills. So each followed thread group is made to ignore SIGTRAP: one of its threads is made to call
// rt_sigaction(2) through an existing syscall instruction. A tracee still stops for a signal that it ignores. No code
// is written; a few words below the stack are, and restored. At an orderly end another such call restores the
// previous action.

// shield is a thread group's SIGTRAP action before we made it ignored.
type shield struct {
	on  bool // SIGTRAP is ignored because of us
	old sigaction
}

const (
	redZone    = 128 // below the stack pointer belongs to the function (System V ABI, AMD64 supplement, 3.2.2)
	actionRoom = 2 * unsafe.Sizeof(sigaction{})
	sigIgnore  = 1
)

// protect makes the group of a stopped thread ignore SIGTRAP, once.
func (t *Tracer) protect(th *Thread) {
	if t.backend != BySigtrap || t.armed.closing || t.armed.shields[th.TGID] != nil || th.Ignore {
		return
	}
	st, err := readStatus(th.TID)
	if err != nil {
		return
	}
	s := &shield{}
	switch {
	case st.ignored&trapBit != 0: // nothing to do
	case st.pending&trapBit != 0:
		return // it would be discarded: try at the next stop
	case st.seccomp != 0:
		t.armed.unprotected = append(t.armed.unprotected, Unprotected{th.TGID, "it has a seccomp filter of its own, which might kill it for the call"})
	default:
		ignore := sigaction{handler: sigIgnore}
		old, ok := t.inject(th, &ignore)
		t.stopAgain(th)
		if !ok {
			return // try at the next stop
		}
		s.on, s.old = true, old
		t.seekThrownAway(th.TGID)
	}
	t.armed.shields[th.TGID] = s
}

// seekThrownAway interrupts the threads of a group that have taken mmap_lock and have not got their SIGTRAP yet: the
// kernel discards a pending signal when its action is set to ignore.
func (t *Tracer) seekThrownAway(tgid int) {
	if t.groups[tgid] <= 1 || t.attaching {
		return
	}
	t.Settle()
	for _, ev := range t.armed.events {
		if th := ev.owner; th.TGID == tgid && len(ev.open) > 0 && th.state == running && !th.interrupted {
			th.interrupt()
		}
	}
}

// Unprotected is a process that may die if the tracer is killed, and why.
type Unprotected struct {
	PID int
	Why string
}

// Unprotected returns the processes that could not be protected since its last call.
func (t *Tracer) Unprotected() []Unprotected {
	list := t.armed.unprotected
	t.armed.unprotected = nil
	return list
}

// inheritShield gives a new thread group its creator's shield, since signal actions are inherited.
func (t *Tracer) inheritShield(child, maker int) {
	if s := t.armed.shields[maker]; s != nil && child != maker {
		inherited := *s
		t.armed.shields[child] = &inherited
	}
}

// execShield updates the shield after an exec, which keeps ignored signals ignored and resets handlers.
func (t *Tracer) execShield(tgid int) {
	const sigDefault = 0
	if s := t.armed.shields[tgid]; s != nil && s.on && s.old.handler != sigIgnore {
		s.old = sigaction{handler: sigDefault}
	}
}

// unshield restores the former SIGTRAP action of a stopped thread's group, unless the program has set another
// meanwhile.
func (t *Tracer) unshield(th *Thread) {
	s := t.armed.shields[th.TGID]
	if s == nil || !s.on {
		return
	}
	st, err := readStatus(th.TID)
	if err != nil {
		return
	}
	if st.ignored&trapBit != 0 {
		_, ok := t.inject(th, &s.old)
		t.stopAgain(th)
		if !ok {
			return
		}
	}
	s.on = false
}

// giveTrap restores the SIGTRAP action for a thread in the signal-delivery-stop of a SIGTRAP of the program's own,
// which the next resumption delivers. If a fault raised it, the kernel has already replaced an ignoring action by the
// default.
func (t *Tracer) giveTrap(th *Thread) {
	s := t.armed.shields[th.TGID]
	if s == nil || !s.on {
		return
	}
	info, e := ptraceSiginfo(th.TID)
	if e != 0 {
		return
	}
	sig := th.toDeliver
	th.toDeliver = 0
	_, made := t.inject(th, &s.old)
	s.on = s.on && !made
	if th.state != stopped || !th.inside {
		th.toDeliver = sig
		return
	}
	// A signal injected into a thread within a call is queued again.
	th.state = running
	ptrace(unix.PTRACE_CONT, th.TID, 0, uintptr(sig))
	status, ok := t.await(th)
	if !ok {
		return
	}
	if classify(status) != signalStop || status.StopSignal() != unix.SIGTRAP {
		t.queue = append(t.queue, wait{th.TID, status})
		return
	}
	ptrace(unix.PTRACE_SETSIGINFO, th.TID, 0, uintptr(unsafe.Pointer(&info)))
	th.state, th.inside, th.toDeliver = stopped, false, sig
}

// inject makes a stopped thread set the action of SIGTRAP, and returns the former one. The thread is then stopped
// inside that call, with its former registers and memory. If ok is false nothing was done, and the thread is stopped,
// or will stop, as if nothing had been tried.
func (t *Tracer) inject(th *Thread, action *sigaction) (old sigaction, ok bool) {
	if th.state != stopped || th.exiting || th.grouped || th.inside || th.toDeliver != 0 || th.Killed() {
		return old, false
	}
	var saved unix.PtraceRegs
	if ptraceGetRegs(th.TID, &saved) != 0 || saved.Cs == compatSegment {
		return old, false
	}
	at := th.syscallInstruction(&saved)
	room := (saved.Rsp - redZone - uint64(actionRoom)) &^ 15
	var before [2]sigaction
	if at == 0 || th.ReadMemory(room, words(&before)) != int(actionRoom) {
		return old, false
	}
	filled := [2]sigaction{0: *action}
	if !th.writeMemory(room, words(&filled)) {
		return old, false
	}
	regs := saved
	const none = ^uint64(0)
	regs.Rip, regs.Rax, regs.Orig_rax = at, unix.SYS_RT_SIGACTION, none
	regs.Rdi, regs.Rsi, regs.Rdx, regs.R10 = uint64(unix.SIGTRAP), room, room+uint64(unsafe.Sizeof(sigaction{})), 8
	ptraceSetRegs(th.TID, &regs)
	made := t.through(th)
	if made {
		var result [2]sigaction
		rax, e := ptracePeekUser(th.TID, offsetRAX)
		made = e == 0 && rax == 0 && th.ReadMemory(room, words(&result)) == int(actionRoom)
		old = result[1]
	}
	th.writeMemory(room, words(&before))
	ptraceSetRegs(th.TID, &saved)
	return old, made
}

// through lets the thread make one system call, to its syscall-exit-stop. If another stop comes first it is queued,
// and the thread stays in it.
func (t *Tracer) through(th *Thread) bool {
	for _, op := range []uint8{syscallInfoEntry, syscallInfoExit} {
		ptrace(unix.PTRACE_SYSCALL, th.TID, 0, 0)
		status, ok := t.await(th)
		if !ok {
			return false
		}
		var info syscallInfo
		if classify(status) != syscallStop || ptraceSyscallInfo(th.TID, &info) != 0 || info.op != op {
			t.queue = append(t.queue, wait{th.TID, status})
			th.state = running // until the queued stop is handled
			return false
		}
	}
	th.inside = true
	return true
}

// stopAgain brings a thread after inject to an event stop if it is within a call that must be restarted: the kernel
// restarts calls only on its signal path.
func (t *Tracer) stopAgain(th *Thread) {
	var regs unix.PtraceRegs
	if !th.inside || ptraceGetRegs(th.TID, &regs) != 0 || int64(regs.Orig_rax) < 0 || !restarts(int64(regs.Rax)) {
		return
	}
	ptrace(unix.PTRACE_INTERRUPT, th.TID, 0, 0)
	ptrace(unix.PTRACE_CONT, th.TID, 0, 0)
	status, ok := t.await(th)
	if !ok {
		return
	}
	if classify(status) != trapStop {
		t.queue = append(t.queue, wait{th.TID, status})
		th.state = running
		return
	}
	th.inside = false
}

// await waits for one thread. If the thread has ended, that is queued.
func (t *Tracer) await(th *Thread) (unix.WaitStatus, bool) {
	var status int32
	for tries := 0; ; tries++ {
		n, _, e := syscall.Syscall6(syscall.SYS_WAIT4, uintptr(th.TID), uintptr(unsafe.Pointer(&status)), unix.WALL|unix.WNOHANG, 0, 0, 0)
		if e == syscall.EINTR {
			continue
		}
		if e == 0 && n == 0 {
			// An execve of another thread may have killed it. If it is the group's leader it is not reaped until that
			// thread has taken its place, and that waits for threads which we hold at stops: to wait for it here
			// would deadlock.
			if state := State(th.TID); state == 'Z' || state == 'X' || state == 0 {
				th.state = running
				return 0, false
			}
			time.Sleep(time.Duration(min(tries, 20)) * 10 * time.Microsecond)
			continue
		}
		ws := unix.WaitStatus(status)
		if e != 0 || ws.Exited() || ws.Signaled() {
			if e == 0 {
				t.queue = append(t.queue, wait{th.TID, ws})
			}
			th.state = running
			return ws, false
		}
		return ws, true
	}
}

// syscallInstruction finds a syscall instruction: the one that the thread used, or one in the vdso.
func (th *Thread) syscallInstruction(regs *unix.PtraceRegs) uint64 {
	code := []byte{0x0f, 0x05}
	var two [2]byte
	if th.ReadMemory(regs.Rip-2, two[:]) == 2 && bytes.Equal(two[:], code) {
		return regs.Rip - 2
	}
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", th.TID))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(maps) {
		if !bytes.HasSuffix(bytes.TrimSpace(line), []byte("[vdso]")) {
			continue
		}
		var start, end uint64
		if _, err := fmt.Sscanf(string(line), "%x-%x", &start, &end); err != nil || end-start > 1<<20 {
			return 0
		}
		text := make([]byte, end-start)
		if n := bytes.Index(text[:th.ReadMemory(start, text)], code); n >= 0 {
			return start + uint64(n)
		}
	}
	return 0
}

// restarts reports whether a call with this value in rax will be restarted (include/linux/errno.h).
func restarts(rax int64) bool { return rax <= -512 && rax >= -516 }

// compatSegment is the code segment of 32-bit user code (__USER32_CS).
const compatSegment = 0x23

func words[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

// writeMemory copies p to the tracee's memory at addr (process_vm_writev(2)).
func (th *Thread) writeMemory(addr uint64, p []byte) bool {
	local := unix.Iovec{Base: &p[0], Len: uint64(len(p))}
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(p)}
	n, _, e := syscall.RawSyscall6(unix.SYS_PROCESS_VM_WRITEV, uintptr(th.TID),
		uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	return e == 0 && int(n) == len(p)
}

func ptraceSetRegs(tid int, regs *unix.PtraceRegs) syscall.Errno {
	return ptrace(unix.PTRACE_SETREGS, tid, 0, uintptr(unsafe.Pointer(regs)))
}
