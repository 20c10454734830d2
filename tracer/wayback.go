package tracer

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/vm"
)

// While a thread makes a call that we have injected its registers are not its own, and if we are killed then nobody
// gives them back. So it makes the call as if a signal handler did: at a syscall instruction with a return behind it,
// on a stack that returns to what calls rt_sigreturn(2), which loads the registers from the frame above. As long as
// we live we stop the thread behind the call and none of that is executed.

// wayBack has the addresses of two pieces of the program's code that this needs. The zero value means that they were
// not found.
type wayBack struct {
	syscallRet uint64 // syscall; ret
	sigreturn  uint64 // mov $15, %rax; syscall: the restorer of the C libraries and of Go's runtime
}

// known reports whether both addresses have been found.
func (w wayBack) known() bool { return w.syscallRet != 0 && w.sigreturn != 0 }

// Their bytes.
const (
	syscallRetCode = "\x0f\x05\xc3"
	sigreturnCode  = "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05" // SYS_RT_SIGRETURN is 15
)

// findWayBack searches the code of a process for these instructions, small files first: one of these is the loader of
// the C library.
func findWayBack(tid int) (w wayBack) {
	if st, err := readStatus(tid); err != nil || st.shadowStack {
		return wayBack{} // a return that no call has preceded faults
	}
	const most = 32 << 20
	left := uint64(most)
	for _, code := range codeOf(tid) {
		if w.known() || code.Len() > left {
			break
		}
		left -= code.Len()
		w.search(tid, code)
	}
	if !w.known() {
		return wayBack{}
	}
	return w
}

// search searches one mapping.
func (w *wayBack) search(tid int, code vm.Range) {
	th := Thread{TID: tid}
	const step, overlap = 64 << 10, 16
	var buf [step + overlap]byte
	for at := code.Start; at < code.End && !w.known(); at += step {
		text := buf[:th.ReadMemory(at, buf[:min(uint64(len(buf)), code.End-at)])]
		if n := bytes.Index(text, []byte(syscallRetCode)); n >= 0 && w.syscallRet == 0 {
			w.syscallRet = at + uint64(n)
		}
		if n := bytes.Index(text, []byte(sigreturnCode)); n >= 0 && w.sigreturn == 0 {
			w.sigreturn = at + uint64(n)
		}
	}
}

// codeOf lists the code of files that a process has mapped, the smallest first.
func codeOf(tid int) (list []vm.Range) {
	for _, m := range mappings(tid) {
		if m.Perms == vm.Read|vm.Exec && m.File.Inode != 0 {
			list = append(list, m.Range)
		}
	}
	slices.SortFunc(list, func(a, b vm.Range) int { return cmp.Compare(a.Len(), b.Len()) })
	return list
}

// mappings reads /proc/TID/maps. What cannot be read is left out.
func mappings(tid int) []vm.Mapping {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", tid))
	list, _ := vm.ParseMaps(nil, text)
	return list
}

// signalFrame is the kernel's struct rt_sigframe (arch/x86/include/asm/sigframe.h), up to where rt_sigreturn reads, and
// the registers of the floating-point unit.
type signalFrame struct {
	pretcode uint64 // where a handler returns to
	flags    uint64 // of struct ucontext
	_        uint64 // uc_link
	stack    struct {
		sp    uint64
		flags uint64
		size  uint64
	}
	r8, r9, r10, r11, r12, r13, r14, r15   uint64 // of struct sigcontext
	rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp uint64
	rip, eflags                            uint64
	cs, gs, fs, ss                         uint16
	_                                      [4]uint64 // err, trapno, oldmask, cr2
	fpstate                                uint64
	_                                      [8]uint64
	sigmask                                uint64
	_                                      [9]uint64 // to a multiple of 64 bytes
	fx                                     [512]byte // as FXSAVE writes it; must begin at a multiple of 16 bytes
}

// fill makes the frame, to be written at address at, that gives a stopped thread its registers back. It reports whether
// it could read the thread's signal mask and floating-point registers. A call that the kernel would restart for us is
// made again from the start, with its whole timeout.
func (f *signalFrame) fill(th *Thread, r *unix.PtraceRegs, at uint64, way wayBack) bool {
	const (
		// UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS (uapi/asm/ucontext.h): ss is to be loaded as it stands.
		loadSS = 0x2 | 0x4
		// No flags that sigaltstack(2) knows: it refuses, which is not looked at, and the alternate stack stays.
		unknownFlags = 1 << 20
	)
	mask, e := ptraceSigmask(th.TID)
	if e != 0 || ptrace(unix.PTRACE_GETFPREGS, th.TID, 0, uintptr(unsafe.Pointer(&f.fx))) != 0 {
		return false
	}
	// What FXSAVE leaves to programs would tell the kernel of parts that do not follow (fpu/signal.c, check_xstate_in_sigframe).
	const forPrograms = 464
	clear(f.fx[forPrograms:])
	f.pretcode, f.flags, f.stack.flags, f.sigmask = way.sigreturn, loadSS, unknownFlags, mask
	f.r8, f.r9, f.r10, f.r11, f.r12, f.r13, f.r14, f.r15 = r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15
	f.rdi, f.rsi, f.rbp, f.rbx, f.rdx, f.rax, f.rcx, f.rsp = r.Rdi, r.Rsi, r.Rbp, r.Rbx, r.Rdx, r.Rax, r.Rcx, r.Rsp
	f.rip, f.eflags = r.Rip, r.Eflags
	f.cs, f.gs, f.fs, f.ss = uint16(r.Cs), uint16(r.Gs), uint16(r.Fs), uint16(r.Ss)
	f.fpstate = at + uint64(unsafe.Offsetof(f.fx))
	if int64(r.Orig_rax) >= 0 && restarts(int64(r.Rax)) {
		f.rax, f.rip = r.Orig_rax, r.Rip-uint64(len(syscallRetCode)-1)
	}
	return true
}
