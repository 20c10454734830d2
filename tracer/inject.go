package tracer

import (
	"bytes"
	"errors"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inject makes a stopped thread set the action of SIGTRAP, and returns the former one. The thread is then stopped
// inside that call, with its former registers and memory. With an error nothing was done, and the thread is stopped,
// or will stop, as if nothing had been tried; a refused will not change at its next stop.
//
// No code is written; what is written below the stack is restored. Between the two writes of its registers the thread is
// not what it was: if we are killed just then, it finds its way back by itself where there is one.
func (t *Tracer) inject(th *Thread, action *sigaction, way wayBack) (old sigaction, err error) {
	if !th.injectable() {
		return old, errNotNow
	}
	d, err := th.divert(action, way)
	if err != nil {
		return old, err
	}
	made := t.through(th)
	if made {
		var c injected
		rax, e := ptracePeekUser(th.TID, offsetRAX)
		made = e == 0 && rax == 0 && th.ReadMemory(d.room, words(&c)) == int(unsafe.Sizeof(c))
		old = c.actions[1]
	}
	ptraceSetRegs(th.TID, &d.regs) // before what it would need to go back
	th.writeMemory(d.room, words(&d.memory))
	if !made {
		return old, errNotNow
	}
	return old, nil
}

// errNotNow is for a thread that cannot make a call at the stop that it is in.
var errNotNow = errors.New("not at this stop")

// injectable reports whether a thread is at a stop from which it can make a call.
func (th *Thread) injectable() bool {
	return th.state == stopped && !th.exiting && !th.grouped && !th.inside && th.toDeliver == 0 && !th.Killed()
}

// diverted is what a thread was before divert.
type diverted struct {
	regs   unix.PtraceRegs
	room   uint64 // where the memory was
	memory injected
}

// divert gives a stopped thread the registers with which it calls rt_sigaction(2) next.
func (th *Thread) divert(action *sigaction, way wayBack) (d diverted, err error) {
	if ptraceGetRegs(th.TID, &d.regs) != 0 || d.regs.Cs == compatSegment {
		return d, errNotNow
	}
	c := injected{actions: [2]sigaction{0: *action}}
	d.room = (d.regs.Rsp - redZone - uint64(unsafe.Sizeof(c))) &^ 63
	const none = ^uint64(0)
	regs := d.regs
	regs.Rax, regs.Orig_rax = unix.SYS_RT_SIGACTION, none
	regs.Rdi, regs.R10 = uint64(unix.SIGTRAP), 8
	regs.Rsi = d.room + uint64(unsafe.Offsetof(c.actions))
	regs.Rdx = regs.Rsi + uint64(unsafe.Sizeof(sigaction{}))
	if way.known() && c.frame.fill(th, &d.regs, d.room+uint64(unsafe.Offsetof(c.frame)), way) {
		regs.Rip, regs.Rsp = way.syscallRet, d.room
		back := unix.PtraceRegs{Rax: unix.SYS_RT_SIGRETURN, Rip: way.sigreturn + uint64(len(sigreturnCode)-syscallLength)}
		if err := th.mayCall(&back); err != nil {
			return d, err
		}
	} else if regs.Rip = th.syscallInstruction(&d.regs); regs.Rip == 0 {
		return d, errNotNow
	}
	if err := th.mayCall(&regs); err != nil {
		return d, err
	}
	if th.ReadMemory(d.room, words(&d.memory)) != int(unsafe.Sizeof(d.memory)) || !th.writeMemory(d.room, words(&c)) {
		return d, errNotNow
	}
	ptraceSetRegs(th.TID, &regs)
	return d, nil
}

// redZone is what belongs to a function below its stack pointer (System V ABI, AMD64 supplement, 3.2.2).
const redZone = 128

// injected is what an injected call needs of the thread's memory.
type injected struct {
	frame   signalFrame // first: the stack pointer points to it
	actions [2]sigaction
}

// through lets the thread make one system call, to its syscall-exit-stop, and reports whether it came there. If another
// stop comes first it is queued, and the thread stays in it.
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
	for _, m := range mappings(th.TID) {
		if m.File.Path != "[vdso]" || m.Len() > 1<<20 {
			continue
		}
		text := make([]byte, m.Len())
		if n := bytes.Index(text[:th.ReadMemory(m.Start, text)], code); n >= 0 {
			return m.Start + uint64(n)
		}
	}
	return 0
}

// restarts reports whether a call with this value in rax will be restarted (include/linux/errno.h).
func restarts(rax int64) bool { return rax <= -512 && rax >= -516 }

// compatSegment is the code segment of 32-bit user code (__USER32_CS).
const compatSegment = 0x23

func words[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

// writeMemory copies p to the tracee's memory at addr (process_vm_writev(2)), and reports whether all of it was copied.
// p must not be empty.
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
