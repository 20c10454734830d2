package tracer

import (
	"encoding/binary"
	"syscall"
)

// Notice is something that a program is about to do and that goes otherwise under a tracer.
type Notice uint8

// The notices.
const (
	// TracesTracee: it asks to trace one of our tracees, or to be traced. The kernel refuses (EPERM).
	TracesTracee Notice = iota + 1
	// StrictSeccomp: it asks for seccomp's strict mode, which the kernel refuses beside our filter (EINVAL).
	StrictSeccomp
	// TraceFilter: it installs a filter that hands calls to a tracer, which lets them pass. Without one they would fail
	// (ENOSYS).
	TraceFilter
)

const (
	ptraceTraceMe, ptraceAttach, ptraceSeizeIt = 0, 16, 0x4206
	sysSeccomp                                 = 317 // asm/unistd_64.h
	seccompSetModeStrict, seccompSetModeFilter = 0, 1
	prSetSeccomp, modeStrict, modeFilter       = 22, 1, 2
	bpfRetK                                    = 0x06
	seccompRetTrace, seccompRetAction          = 0x7ff00000, 0xffff0000
	mostInstructions                           = 4096 // BPF_MAXINSNS
)

// watched are the calls, other than those in the table of followed calls, that our filter stops for a Notice.
var watched = []watch{
	{syscall.SYS_PTRACE, []uint32{ptraceTraceMe, ptraceAttach, ptraceSeizeIt}},
	{sysSeccomp, []uint32{seccompSetModeStrict, seccompSetModeFilter}},
}

// A watch stops a call with certain values of its first argument.
type watch struct {
	nr     uint32
	values []uint32
}

// notice returns the Notice for the call that the thread is about to make, 0 for none.
func (t *Tracer) notice(th *Thread) Notice {
	r := &th.regs
	if !bySyscallInstruction(r) {
		return 0
	}
	switch request := uint32(r.Rdi); {
	case r.Orig_rax == syscall.SYS_PTRACE:
		switch {
		case request == ptraceTraceMe:
			return TracesTracee
		case (request == ptraceAttach || request == ptraceSeizeIt) && t.threads[int(int32(r.Rsi))] != nil:
			return TracesTracee
		}
	case !t.filter:
	case r.Orig_rax == sysSeccomp && request == seccompSetModeStrict, r.Orig_rax == syscall.SYS_PRCTL && request == prSetSeccomp && r.Rsi == modeStrict:
		return StrictSeccomp
	case r.Orig_rax == sysSeccomp && request == seccompSetModeFilter, r.Orig_rax == syscall.SYS_PRCTL && request == prSetSeccomp && r.Rsi == modeFilter:
		if th.handsToTracer(r.Rdx) {
			return TraceFilter
		}
	}
	return 0
}

// handsToTracer reports whether the filter that a struct sock_fprog at addr describes can return SECCOMP_RET_TRACE.
func (th *Thread) handsToTracer(addr uint64) bool {
	var program [16]byte // unsigned short len, struct sock_filter *filter
	if th.ReadMemory(addr, program[:]) != len(program) {
		return false
	}
	le := binary.LittleEndian
	n := min(int(le.Uint16(program[:])), mostInstructions)
	code := make([]byte, 8*n) // struct sock_filter: code, jt, jf, k
	code = code[:th.ReadMemory(le.Uint64(program[8:]), code)]
	for ; len(code) >= 8; code = code[8:] {
		if le.Uint16(code) == bpfRetK && le.Uint32(code[4:])&seccompRetAction == seccompRetTrace {
			return true
		}
	}
	return false
}
