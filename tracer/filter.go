package tracer

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data (include/uapi/linux/seccomp.h).
const (
	seccompNr   = 0
	seccompArch = 4
	seccompArgs = 16
)

const x32Bit = 0x40000000 // __X32_SYSCALL_BIT, arch/x86/include/uapi/asm/unistd.h

// program assembles a classic BPF program. Each block decides on one system call number, so that no jump
// is longer than a block.
type program struct {
	insns []unix.SockFilter
}

func (p *program) stmt(code uint16, k uint32) {
	p.insns = append(p.insns, unix.SockFilter{Code: code, K: k})
}

func (p *program) jump(code uint16, k uint32, jt, jf int) {
	p.insns = append(p.insns, unix.SockFilter{Code: code, K: k, Jt: uint8(jt), Jf: uint8(jf)})
}

// always skips n instructions; unlike a test's, its distance is not limited to 255.
func (p *program) always(n int) { p.stmt(unix.BPF_JMP|unix.BPF_JA, uint32(n)) }

func (p *program) load(offset uint32) { p.stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset) }
func (p *program) ret(v uint32)       { p.stmt(unix.BPF_RET|unix.BPF_K, v) }
func (p *program) skipUnless(k uint32, n int) {
	p.jump(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, k, 0, n)
}

// buildFilter returns the seccomp filter that stops a thread (SECCOMP_RET_TRACE) on the calls of rows in
// all three conventions and lets all others pass. The low 16 bits of the return value are the ABI, which
// PTRACE_GETEVENTMSG hands back. Calls outside the table are decided on the number alone, so that the
// kernel's seccomp action cache serves them without running the filter.
func buildFilter(rows []Syscall) []unix.SockFilter {
	b64, b32 := numberBlocks(rows, ABI64), numberBlocks(rows, ABI32)
	bx32 := numberBlocks(rows, ABIX32)
	var p program
	p.load(seccompArch)
	p.jump(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, unix.AUDIT_ARCH_X86_64, 1, 0)
	p.always(3 + len(b64) + 1 + len(bx32) + 1)
	p.load(seccompNr)
	p.jump(unix.BPF_JMP|unix.BPF_JGE|unix.BPF_K, x32Bit, 0, 1)
	p.always(len(b64) + 1)
	p.insns = append(p.insns, b64...)
	p.ret(unix.SECCOMP_RET_ALLOW)
	p.insns = append(p.insns, bx32...)
	p.ret(unix.SECCOMP_RET_ALLOW)
	p.jump(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, unix.AUDIT_ARCH_I386, 1, 0)
	p.always(1 + len(b32))
	p.load(seccompNr)
	p.insns = append(p.insns, b32...)
	p.ret(unix.SECCOMP_RET_ALLOW)
	return p.insns
}

// numberBlocks returns the blocks that test each number of one convention. They expect the number in the
// accumulator, and leave it there where they fall through.
func numberBlocks(rows []Syscall, abi ABI) []unix.SockFilter {
	var p program
	for i := range rows {
		s := &rows[i]
		nr, ok := s.number(abi)
		if !ok {
			continue
		}
		when := s.When
		if abi == ABI64 && s.Nr == unix.SYS_PRCTL {
			when = append(slices.Clone(when), When{Arg: 0, Value: prGetSeccomp}, When{Arg: 0, Value: prSetSeccomp}) // hide.go, notice.go
		}
		if len(when) == 0 {
			p.skipUnless(nr, 1)
			p.ret(unix.SECCOMP_RET_TRACE | uint32(abi))
			continue
		}
		var body program
		for _, w := range when {
			body.load(seccompArgs + 8*uint32(w.Arg))
			if w.Mask != 0 {
				body.stmt(unix.BPF_ALU|unix.BPF_AND|unix.BPF_K, w.Mask)
			}
			if w.Not {
				body.jump(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, w.Value, 1, 0)
			} else {
				body.skipUnless(w.Value, 1)
			}
			body.ret(unix.SECCOMP_RET_TRACE | uint32(abi))
		}
		body.ret(unix.SECCOMP_RET_ALLOW)
		p.skipUnless(nr, len(body.insns))
		p.insns = append(p.insns, body.insns...)
	}
	if abi != ABI64 {
		return p.insns
	}
	for _, w := range watched {
		var body program
		body.load(seccompArgs)
		for _, v := range w.values {
			body.skipUnless(v, 1)
			body.ret(unix.SECCOMP_RET_TRACE | uint32(abi))
		}
		body.ret(unix.SECCOMP_RET_ALLOW)
		p.skipUnless(w.nr, len(body.insns))
		p.insns = append(p.insns, body.insns...)
	}
	return p.insns
}

// number returns the number under which abi's orig_rax shows the call, and whether it has one.
func (s *Syscall) number(abi ABI) (uint32, bool) {
	switch {
	case abi == ABI32:
		return uint32(s.Nr32), s.Nr32 >= 0
	case s.Nr < 0:
		return 0, false
	case abi == ABIX32:
		if nr, other := x32Numbers[s.Nr]; other {
			return x32Bit | nr, true
		}
		return x32Bit | uint32(s.Nr), true
	}
	return uint32(s.Nr), true
}

// x32Numbers are the calls that have a number of their own in x32 (arch/x86/entry/syscalls/syscall_64.tbl).
var x32Numbers = map[int]uint32{59: 520, 322: 545, 206: 543}
