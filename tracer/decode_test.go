package tracer

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/vm"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name string
		abi  ABI
		regs unix.PtraceRegs
		want vm.Op
	}{
		{"mmap", ABI64, unix.PtraceRegs{Orig_rax: 9, Rsi: 5000, Rdx: 3, R10: 0x22, R8: 0xffffffffffffffff},
			vm.Op{Kind: vm.OpMap, Len: 5000, Prot: 3, Flags: 0x22, FD: -1}},
		{"mmap of a file, 32-bit fd", ABI64, unix.PtraceRegs{Orig_rax: 9, Rdi: 0x10000, Rsi: 8192, Rdx: 1, R10: 0x12, R8: 3, R9: 0x2000},
			vm.Op{Kind: vm.OpMap, Addr: 0x10000, Len: 8192, Prot: 1, Flags: 0x12, FD: 3, Offset: 0x2000, Fixed: true,
				Range: vm.Range{Start: 0x10000, End: 0x12000}}},
		{"munmap rounds up", ABI64, unix.PtraceRegs{Orig_rax: 11, Rdi: 0x10000, Rsi: 4097},
			vm.Op{Kind: vm.OpUnmap, Addr: 0x10000, Len: 4097, Range: vm.Range{Start: 0x10000, End: 0x12000}}},
		{"mremap FIXED", ABI64, unix.PtraceRegs{Orig_rax: 25, Rdi: 0x10000, Rsi: 4096, Rdx: 8192, R10: 3, R8: 0x50000},
			vm.Op{Kind: vm.OpRemap, Addr: 0x10000, Len: 4096, NewLen: 8192, Flags: 3,
				Range: vm.Range{Start: 0x10000, End: 0x11000}, Target: vm.Range{Start: 0x50000, End: 0x52000}}},
		{"mremap not FIXED names no target", ABI64, unix.PtraceRegs{Orig_rax: 25, Rdi: 0x10000, Rsi: 4096, Rdx: 8192, R10: 1, R8: 0x50000},
			vm.Op{Kind: vm.OpRemap, Addr: 0x10000, Len: 4096, NewLen: 8192, Flags: 1, Range: vm.Range{Start: 0x10000, End: 0x11000}}},
		{"brk", ABI64, unix.PtraceRegs{Orig_rax: 12, Rdi: 0x30001}, vm.Op{Kind: vm.OpBrk, Addr: 0x30001}},
		{"vfork", ABI64, unix.PtraceRegs{Orig_rax: 58}, vm.Op{Kind: vm.OpClone, CloneFlags: vm.CloneVM | vm.CloneVfork}},
		{"i386 mmap2 counts in pages", ABI32, unix.PtraceRegs{Orig_rax: 192, Rcx: 4096, Rdx: 1, Rsi: 2, Rdi: 4, Rbp: 3},
			vm.Op{Kind: vm.OpMap, Len: 4096, Prot: 1, Flags: 2, FD: 4, Offset: 3 * 4096}},
		{"i386 munmap ignores high halves", ABI32, unix.PtraceRegs{Orig_rax: 91, Rbx: 0xffffffff00010000, Rcx: 0x100001000},
			vm.Op{Kind: vm.OpUnmap, Addr: 0x10000, Len: 4096, Range: vm.Range{Start: 0x10000, End: 0x11000}}},
		{"x32 munmap", ABIX32, unix.PtraceRegs{Orig_rax: x32Bit | 11, Rdi: 0x10000, Rsi: 4096},
			vm.Op{Kind: vm.OpUnmap, Addr: 0x10000, Len: 4096, Range: vm.Range{Start: 0x10000, End: 0x11000}}},
		{"x32 execve has a number of its own", ABIX32, unix.PtraceRegs{Orig_rax: x32Bit | 520}, vm.Op{Kind: vm.OpExec}},
		{"a range that wraps is empty", ABI64, unix.PtraceRegs{Orig_rax: 11, Rdi: 0x1000, Rsi: 1<<64 - 4096},
			vm.Op{Kind: vm.OpUnmap, Addr: 0x1000, Len: 1<<64 - 4096, Range: vm.RangeOf(0x1000, 1<<64-4096)}},
	} {
		th := &Thread{regs: c.regs}
		if !th.enter(c.abi, newNumbers(followed(false))) {
			t.Errorf("%s: not followed", c.name)
			continue
		}
		if th.call.Op != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, th.call.Op, c.want)
		}
	}
}

func TestCompatResult(t *testing.T) {
	for eax, want := range map[uint32]int64{0: 0, 0xfffffff4: -12, 0xf7001000: 0xf7001000, 0xfffff001: -4095, 0xfffff000: 0xfffff000} {
		if got := compatResult(eax); got != want {
			t.Errorf("%#x: %d, want %d", eax, got, want)
		}
	}
}

func TestClassify(t *testing.T) {
	stop := func(sig unix.Signal, event int) unix.WaitStatus {
		return unix.WaitStatus(event<<16 | int(sig)<<8 | 0x7f)
	}
	for _, c := range []struct {
		status unix.WaitStatus
		want   why
	}{
		{stop(unix.SIGTRAP|syscallStopBit, 0), syscallStop},
		{stop(unix.SIGTRAP, 0), signalStop},
		{stop(unix.SIGSTOP, 0), signalStop},
		{stop(unix.SIGUSR1, 0), signalStop},
		{stop(unix.SIGTRAP, ptraceEventSeccomp), seccompStop},
		{stop(unix.SIGTRAP, unix.PTRACE_EVENT_FORK), cloneStop},
		{stop(unix.SIGTRAP, unix.PTRACE_EVENT_VFORK), cloneStop},
		{stop(unix.SIGTRAP, unix.PTRACE_EVENT_CLONE), cloneStop},
		{stop(unix.SIGTRAP, ptraceEventExec), execStop},
		{stop(unix.SIGTRAP, ptraceEventExit), exitStop},
		{stop(unix.SIGTRAP, ptraceEventStop), trapStop},
		{stop(unix.SIGSTOP, ptraceEventStop), groupStop},
		{stop(unix.SIGTSTP, ptraceEventStop), groupStop},
		{stop(unix.SIGTRAP, unix.PTRACE_EVENT_VFORK_DONE), otherStop},
	} {
		if got := classify(c.status); got != c.want {
			t.Errorf("%#x: %d, want %d", uint32(c.status), got, c.want)
		}
	}
}
