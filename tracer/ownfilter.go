package tracer

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// A program's own seccomp filter may kill it for a call that we have injected. So we read its filters and run them on that
// very call before it is made.

// refused is why a thread may not make a call for us.
type refused string

// Error implements error.
func (r refused) Error() string { return string(r) }

const (
	filterUnread  refused = "its seccomp filter cannot be read, and might kill it for the call that protects it (CAP_SYS_ADMIN, and CONFIG_CHECKPOINT_RESTORE)"
	filterForbids refused = "its seccomp filter does not allow the call that protects it, rt_sigaction(2)"
	strictMode    refused = "it is in seccomp's strict mode, which does not allow the call that protects it"
)

// mayCall returns why a stopped thread must not make the system call that its registers will make at a syscall
// instruction, a refused, nil if its filters let it pass.
func (th *Thread) mayCall(regs *unix.PtraceRegs) error {
	const strict, filtered = 1, 2 // SECCOMP_MODE_STRICT, SECCOMP_MODE_FILTER
	st, err := readStatus(th.TID)
	switch {
	case err != nil:
		return err
	case st.seccomp == 0:
		return nil
	case st.seccomp == strict:
		return strictMode
	case st.seccomp != filtered:
		return filterUnread
	}
	call := callData(regs.Rax, regs.Rip+syscallLength, [6]uint64{regs.Rdi, regs.Rsi, regs.Rdx, regs.R10, regs.R8, regs.R9})
	for n := 0; ; n++ {
		code, e := seccompFilter(th.TID, n)
		if e == unix.ENOENT && n > 0 {
			return nil
		}
		if e != 0 {
			return filterUnread
		}
		if pass, err := lets(code, call); err != nil {
			return filterUnread
		} else if !pass {
			return filterForbids
		}
	}
}

const syscallLength = 2 // of a syscall instruction

// seccompFilter reads the Nth filter of a stopped thread (ptrace(2), PTRACE_SECCOMP_GET_FILTER).
func seccompFilter(tid, n int) ([]unix.SockFilter, unix.Errno) {
	const getFilter = 0x420c
	size, _, e := unix.RawSyscall6(unix.SYS_PTRACE, getFilter, uintptr(tid), uintptr(n), 0, 0, 0)
	if e != 0 {
		return nil, e
	}
	if size == 0 {
		return nil, unix.EINVAL // no filter is empty
	}
	code := make([]unix.SockFilter, size)
	_, _, e = unix.RawSyscall6(unix.SYS_PTRACE, getFilter, uintptr(tid), uintptr(n), uintptr(unsafe.Pointer(&code[0])), 0, 0)
	return code, e
}

// callData is the kernel's struct seccomp_data (include/uapi/linux/seccomp.h) of a call by the SYSCALL instruction, each word
// of 32 bits turned around: a filter loads it as it stands in memory, package bpf as network packets have it.
func callData(number, ip uint64, arguments [6]uint64) []byte {
	b := make([]byte, 0, 64)
	put := func(words ...uint32) {
		for _, w := range words {
			b = binary.BigEndian.AppendUint32(b, w)
		}
	}
	put(uint32(number), unix.AUDIT_ARCH_X86_64, uint32(ip), uint32(ip>>32))
	for _, a := range arguments {
		put(uint32(a), uint32(a>>32))
	}
	return b
}

// lets runs a filter on a call and reports whether it lets it pass.
func lets(code []unix.SockFilter, call []byte) (bool, error) {
	program := make([]bpf.Instruction, len(code))
	for i, c := range code {
		program[i] = bpf.RawInstruction{Op: c.Code, Jt: c.Jt, Jf: c.Jf, K: c.K}.Disassemble()
	}
	vm, err := bpf.NewVM(program)
	if err != nil {
		return false, fmt.Errorf("seccomp filter: %w", err)
	}
	verdict, err := vm.Run(call)
	if err != nil {
		return false, fmt.Errorf("seccomp filter: %w", err)
	}
	const action = 0xffff0000 // SECCOMP_RET_ACTION_FULL
	switch uint32(verdict) & action {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG:
		return true, nil
	}
	return false, nil
}
