package tracer

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/vm"
)

// seccompData is what the kernel hands a filter: number, arch, instruction pointer, arguments.
type seccompData struct {
	nr, arch uint32
	args     [6]uint64
}

func (d *seccompData) word(offset uint32) uint32 {
	switch {
	case offset == seccompNr:
		return d.nr
	case offset == seccompArch:
		return d.arch
	case offset >= seccompArgs && offset < seccompArgs+48:
		v := d.args[(offset-seccompArgs)/8]
		if offset%8 == 4 {
			v >>= 32
		}
		return uint32(v)
	}
	return 0
}

// runFilter interprets the subset of classic BPF that the filter uses. loads is the set of offsets read.
func runFilter(t *testing.T, prog []unix.SockFilter, d seccompData) (ret uint32, readArgs bool) {
	t.Helper()
	var acc uint32
	for pc, steps := 0, 0; ; steps++ {
		if pc >= len(prog) || steps > len(prog) {
			t.Fatalf("filter runs off its end for %+v", d)
		}
		i := prog[pc]
		pc++
		switch i.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = d.word(i.K)
			readArgs = readArgs || i.K >= seccompArgs
		case unix.BPF_ALU | unix.BPF_AND | unix.BPF_K:
			acc &= i.K
		case unix.BPF_JMP | unix.BPF_JA:
			pc += int(i.K)
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			if acc == i.K {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			if acc >= i.K {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		case unix.BPF_RET | unix.BPF_K:
			return i.K, readArgs
		default:
			t.Fatalf("instruction %#x unknown", i.Code)
		}
	}
}

func archOf(abi ABI) uint32 {
	if abi == ABI32 {
		return unix.AUDIT_ARCH_I386
	}
	return unix.AUDIT_ARCH_X86_64
}

// Every number of every convention is traced exactly when the table follows it, with the convention in the
// return value; what is let pass is decided without looking at arguments.
func TestFilterFollowsTheTable(t *testing.T) {
	prog := buildFilter(followed(false))
	if len(prog) > unix.BPF_MAXINSNS {
		t.Fatalf("%d instructions, the kernel takes %d", len(prog), unix.BPF_MAXINSNS)
	}
	table := newNumbers(followed(false))
	for _, abi := range []ABI{ABI64, ABI32, ABIX32} {
		traced := 0
		for nr := uint32(0); nr < 600; nr++ {
			raw := nr
			if abi == ABIX32 {
				raw |= x32Bit
			}
			s := table.lookup(abi, uint64(raw))
			d := seccompData{nr: raw, arch: archOf(abi)}
			ret, readArgs := runFilter(t, prog, d)
			watches := slices.ContainsFunc(watched, func(w watch) bool { return abi == ABI64 && w.nr == nr })
			switch {
			case watches && (ret&seccompRetAction != seccompRetTrace || !readArgs): // of ptrace(PTRACE_TRACEME, and seccomp(SECCOMP_SET_MODE_STRICT
				t.Errorf("%v %d: watched, but returns %#x, arguments read: %v", abi, nr, ret, readArgs)
			case watches:
			case s == nil && (ret != unix.SECCOMP_RET_ALLOW || readArgs):
				t.Errorf("%v %d: not followed, but returns %#x, arguments read: %v", abi, nr, ret, readArgs)
			case s != nil && len(s.When) == 0 && ret != unix.SECCOMP_RET_TRACE|uint32(abi):
				t.Errorf("%v %s: returns %#x", abi, s.Name, ret)
			case s != nil:
				traced++
			}
		}
		if traced < 20 {
			t.Errorf("%v: %d calls are followed", abi, traced)
		}
	}
	if ret, _ := runFilter(t, prog, seccompData{nr: 9, arch: unix.AUDIT_ARCH_AARCH64}); ret != unix.SECCOMP_RET_ALLOW {
		t.Errorf("another architecture returns %#x", ret)
	}
}

// Where a row is followed for some arguments only, filter and decoder agree on which.
func TestFilterArguments(t *testing.T) {
	prog := buildFilter(followed(false))
	for _, c := range []struct {
		name   string
		nr     uint32
		args   [6]uint64
		traced bool
	}{
		{"madvise DONTNEED", 28, [6]uint64{0, 4096, 4}, false},
		{"madvise DONTFORK", 28, [6]uint64{0, 4096, vm.AdviseDontFork}, true},
		{"madvise NORMAL", 28, [6]uint64{0, 4096, 0}, true},
		{"prctl SET_NAME", 157, [6]uint64{15}, false},
		{"prctl SET_VMA", 157, [6]uint64{prSetVMA}, true},
		{"prctl SET_VMA, high bits", 157, [6]uint64{prSetVMA | 1<<40}, true},
		{"arch_prctl SET_FS", 158, [6]uint64{0x1002}, false},
		{"arch_prctl MAP_VDSO_64", 158, [6]uint64{archMap64}, true},
		{"clone for a thread", 56, [6]uint64{vm.CloneVM | vm.CloneThread}, false},
		{"clone as fork", 56, [6]uint64{17}, true},
		{"clone for a thread, untraced", 56, [6]uint64{vm.CloneVM | vm.CloneUntraced}, true},
		{"personality query", 135, [6]uint64{0xffffffff}, false},
		{"personality set", 135, [6]uint64{0x0400000}, true},
	} {
		ret, _ := runFilter(t, prog, seccompData{nr: c.nr, arch: unix.AUDIT_ARCH_X86_64, args: c.args})
		if (ret == unix.SECCOMP_RET_TRACE) != c.traced {
			t.Errorf("%s: filter returns %#x", c.name, ret)
		}
		s := newNumbers(followed(false)).lookup(ABI64, uint64(c.nr))
		if s.matches(&c.args) != c.traced {
			t.Errorf("%s: the table says %v", c.name, !c.traced)
		}
	}
}

// A number that two conventions share is never decided by the number.
func TestGuess(t *testing.T) {
	table := newNumbers(followed(false))
	for nr := range uint64(512) {
		_, sure := table.guess(nr)
		both := table.lookup(ABI64, nr) != nil && table.lookup(ABI32, nr) != nil
		if sure == both {
			t.Errorf("number %d: sure is %v", nr, sure)
		}
	}
	if abi, sure := table.guess(x32Bit | 9); abi != ABIX32 || !sure {
		t.Errorf("x32 mmap taken for %v", abi)
	}
	if abi, sure := table.guess(192); abi != ABI32 || !sure {
		t.Errorf("mmap2 taken for %v", abi)
	}
}
