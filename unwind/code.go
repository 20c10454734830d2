package unwind

import "bytes"

// code says what kind of instruction precedes pc.
func (m *Module) code(pc uint64) rowFlags {
	var flags rowFlags
	if pc < maxCall {
		return 0
	}
	b := m.mem.Bytes(pc-maxCall, maxCall)
	if b == nil {
		return 0
	}
	if bytes.HasSuffix(b, []byte{0x0f, 0x05}) {
		flags |= flagSyscall
	}
	if endsInCall(b) {
		flags |= flagAfterCall
	}
	return flags
}

// maxCall is the length of the longest call instruction looked for: prefix, opcode, ModRM, SIB and a
// 32-bit displacement.
const maxCall = 8

// endsInCall reports whether a call instruction may end with the last of the maxCall bytes: e8 rel32, or ff /2 with
// any addressing (Intel SDM volume 2, CALL). x86 code cannot be decoded backwards reliably, so true may be wrong;
// false is right except for exotic encodings (far calls).
func endsInCall(b []byte) bool {
	n := len(b)
	if n < maxCall {
		return false
	}
	if b[n-5] == 0xe8 {
		return true
	}
	for length := 2; length <= 7; length++ {
		if b[n-length] != 0xff {
			continue
		}
		modrm := b[n-length+1]
		if modrm>>3&7 != 2 {
			continue
		}
		want := 2
		mod, rm := modrm>>6, modrm&7
		if mod != 3 && rm == 4 {
			want++
			if mod == 0 && length > 2 && b[n-length+2]&7 == 5 {
				want += 4
			}
		}
		switch {
		case mod == 1:
			want++
		case mod == 2, mod == 0 && rm == 5:
			want += 4
		}
		if want == length {
			return true
		}
	}
	return false
}

// isSigreturn reports whether the code at pc is mov $__NR_rt_sigreturn, %rax; syscall: the code that a signal handler
// returns to, in glibc (__restore_rt), musl and Go alike. gdb recognises signal frames by the same bytes
// (amd64-linux-tdep.c).
func (m *Module) isSigreturn(pc uint64) bool {
	b := m.mem.Bytes(pc, 9)
	return bytes.Equal(b, sigreturn[:]) || b != nil && bytes.Equal(b[:7], sigreturn32[:])
}

var (
	sigreturn   = [...]byte{0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05} // mov $15,%rax; syscall
	sigreturn32 = [...]byte{0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05}             // mov $15,%eax; syscall
)

// threadRoot reports whether vaddr is the return address of a thread's first function: it follows a call, and the
// code there only passes the result to exit(2). musl's clone ends that way.
func (m *Module) threadRoot(vaddr uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.executable(vaddr) && m.isThreadRoot(vaddr)
}

// isThreadRoot is threadRoot for an executable address: it reports whether the bytes at vaddr are exitThread and follow
// a call. m.mu is held.
func (m *Module) isThreadRoot(vaddr uint64) bool {
	return bytes.Equal(m.mem.Bytes(vaddr, uint64(len(exitThread))), exitThread[:]) && m.code(vaddr)&flagAfterCall != 0
}

// mov %eax,%edi; xor %eax,%eax; mov $60,%al; syscall
var exitThread = [...]byte{0x89, 0xc7, 0x31, 0xc0, 0xb0, 0x3c, 0x0f, 0x05}
