package tracer

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Thread is one tracee. It belongs to its Source; callers may set Data and Ignore.
type Thread struct {
	TID  int // in our pid namespace
	TGID int // the process
	// Data is the caller's.
	Data any
	// Ignore reports whether the thread's calls and events are skipped silently. Children inherit it.
	Ignore bool

	state    state
	regs     unix.PtraceRegs
	inCall   bool // between the syscall-enter-stop and the exit stop
	followed bool // the call it is in was handed out
	entering bool // the stop it is in is a syscall-enter-stop
	call     Call
	// toDeliver is the signal that the next resumption delivers: the thread is in its signal-delivery-stop.
	toDeliver int
	wait      waiting
	fault     fault // the last fault for which a signal was delivered
	grouped   bool  // the stop it is in is a group-stop
	// interrupted reports whether PTRACE_INTERRUPT was sent and its stop not yet seen.
	interrupted bool
	// cleared is the CLONE_UNTRACED flag that was taken from the call; see untraced.go.
	cleared clearedFlag
	options uintptr // ptrace options to set when it stops, 0 for none
	born    bool    // its first stop has been handed out
	exiting bool    // its exit stop has been handed out
	again   bool    // another stop of it is queued after this one: skip the next resumption
	// event watches the thread under the backend BySigtrap; stepping reports whether it is followed by PTRACE_SYSCALL
	// all the same.
	event    *lockEvent
	advice   *lockEvent // watches its madvise(2), where that is followed
	inside   bool       // the stop is within a call: signals have not been checked
	unmasked bool       // its signal mask was mask; SIGTRAP is temporarily unblocked
	mask     uint64
	stepping bool
}

type state uint8

const (
	running state = iota
	stopped
	listening // in group-stop, resumed by PTRACE_LISTEN
)

// Regs are the thread's registers at its first stop, then at its last syscall-enter-stop (Rax is -ENOSYS). Between
// Entered and the resumption after Returned they are also the registers of the call site, except Rax.
func (th *Thread) Regs() *unix.PtraceRegs { return &th.regs }

// GroupStopped reports whether the thread has joined a group-stop and has not been continued since.
func (th *Thread) GroupStopped() bool { return th.grouped }

// Killed reports whether a kill has taken the thread out of the stop it was held at, towards its exit stop or to it.
// Resuming it now would let it pass that stop unseen.
func (th *Thread) Killed() bool {
	if th.state != stopped {
		return false
	}
	code, e := ptraceStopCode(th.TID)
	return e == syscall.ESRCH || e == 0 && code == ptraceEventExit<<8|int32(syscall.SIGTRAP)
}

// passedBy reports whether a thread to be resumed has left its stop for its exit stop, which has not been handed out
// yet. exit_group and execve kill the threads of a group even while they are at stops.
func (th *Thread) passedBy() bool {
	if th.exiting || !th.Killed() {
		return false
	}
	th.state = running
	return true
}

// ReadMemory copies the tracee's memory at addr to p and returns how many bytes could be read. It follows
// process_vm_readv(2): memory without read permission counts as unreadable.
func (th *Thread) ReadMemory(addr uint64, p []byte) int {
	if len(p) == 0 {
		return 0
	}
	local := unix.Iovec{Base: &p[0], Len: uint64(len(p))}
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: len(p)}
	n, _, e := syscall.RawSyscall6(unix.SYS_PROCESS_VM_READV, uintptr(th.TID),
		uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	switch e {
	case 0:
		return int(n)
	case syscall.EPERM, syscall.ENOSYS: // a container's filter, say: what we trace we may read all the same
		return th.readMem(addr, p)
	}
	return th.readUpToPage(addr, p)
}

// readMem reads /proc/TID/mem, which costs more and reads memory without read permission too.
func (th *Thread) readMem(addr uint64, p []byte) int {
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", th.TID))
	if err != nil {
		return 0
	}
	defer mem.Close()
	n, _ := mem.ReadAt(p, int64(addr))
	return n
}

// readUpToPage retries a failed read with the rest of the first page: current kernels fail a copy only if no byte
// could be read, older ones if any page is missing.
func (th *Thread) readUpToPage(addr uint64, p []byte) int {
	rest := int(4096 - addr%4096)
	if rest >= len(p) {
		return 0
	}
	local := unix.Iovec{Base: &p[0], Len: uint64(rest)}
	remote := unix.RemoteIovec{Base: uintptr(addr), Len: rest}
	n, _, e := syscall.RawSyscall6(unix.SYS_PROCESS_VM_READV, uintptr(th.TID),
		uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}

// ReadString reads a string that ends in NUL, up to limit bytes; ok is false where it cannot be read whole.
func (th *Thread) ReadString(addr uint64, limit int) (s string, ok bool) {
	var buf []byte
	for len(buf) < limit {
		var chunk [256]byte
		want := min(len(chunk), int(4096-addr%4096), limit-len(buf))
		n := th.ReadMemory(addr, chunk[:want])
		for i, c := range chunk[:n] {
			if c == 0 {
				return string(append(buf, chunk[:i]...)), true
			}
		}
		if n < want {
			return string(append(buf, chunk[:n]...)), false
		}
		buf = append(buf, chunk[:n]...)
		addr += uint64(n)
	}
	return string(buf), false
}

// enter decodes the call that the registers show, and reports whether it is followed.
func (th *Thread) enter(abi ABI, table *numbers) (ok bool) {
	r := &th.regs
	c := &th.call
	var args [6]uint64
	if abi == ABI32 {
		args = [6]uint64{r.Rbx & 0xffffffff, r.Rcx & 0xffffffff, r.Rdx & 0xffffffff, r.Rsi & 0xffffffff, r.Rdi & 0xffffffff, r.Rbp & 0xffffffff}
	} else {
		args = [6]uint64{r.Rdi, r.Rsi, r.Rdx, r.R10, r.R8, r.R9}
	}
	s := table.lookup(abi, r.Orig_rax)
	if s == nil || !s.matches(&args) {
		return false
	}
	*c = Call{Syscall: s, ABI: abi, Args: args}
	c.Op.Kind = s.Effect
	if abi == ABI32 && s.Nr32 == 90 {
		th.readOldMmap(c)
	}
	switch {
	case s.Nr == 435:
		c.Op.CloneFlags = th.clone3Flags(c.Args[0])
	case s.Decode != nil:
		s.Decode(c)
	}
	return true
}

// readOldMmap fetches the arguments of i386's mmap, which passes them in a struct of six words.
func (th *Thread) readOldMmap(c *Call) {
	var words [6]uint32
	th.ReadMemory(c.Args[0], unsafe.Slice((*byte)(unsafe.Pointer(&words)), unsafe.Sizeof(words)))
	for i, w := range words {
		c.Args[i] = uint64(w)
	}
}

// clone3Flags reads the first member of struct clone_args, its flags; 0 where it cannot be read, as the
// kernel then fails the call.
func (th *Thread) clone3Flags(addr uint64) uint64 {
	var flags uint64
	th.ReadMemory(addr, unsafe.Slice((*byte)(unsafe.Pointer(&flags)), 8))
	return flags
}
