package unwind

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// markLength is the length of the mmap at which the test programs are unwound (testdata/progs/mark.h).
const markLength = 0x7ab1000

// addrNoRandomize is ADDR_NO_RANDOMIZE of personality(2).
const addrNoRandomize = 0x0040000

// tracee is a program that runs, without address space randomisation, from one system call to the next. It
// is Code and RawMemory of its own address space. The test's goroutine is bound to its OS thread for good.
type tracee struct {
	t      *testing.T
	pid    int
	maps   []vm.Mapping
	stale  bool
	files  map[string]*Module
	inside map[int]bool // threads between entry and exit of a system call
	reads  int
	reaped bool // its number may be somebody else's
}

func startTracee(t *testing.T, env []string, extra *os.File, argv ...string) *tracee {
	t.Helper()
	testenv.Need(t, "ptrace")
	runtime.LockOSThread()
	old, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, 0xffffffff, 0, 0)
	if errno == 0 {
		_, _, errno = unix.RawSyscall(unix.SYS_PERSONALITY, old|addrNoRandomize, 0, 0)
	}
	if errno != 0 {
		t.Fatalf("personality: %v", errno)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Stderr = os.Stderr
	if extra != nil {
		cmd.ExtraFiles = []*os.File{extra}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	err := cmd.Start()
	unix.RawSyscall(unix.SYS_PERSONALITY, old, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &tracee{t: t, pid: cmd.Process.Pid, stale: true, files: make(map[string]*Module), inside: make(map[int]bool)}
	t.Cleanup(p.kill)
	var ws unix.WaitStatus
	if _, err := unix.Wait4(p.pid, &ws, 0, nil); err != nil || !ws.Stopped() {
		t.Fatalf("wait for %s: %v, %#x", argv[0], err, ws)
	}
	opts := unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(p.pid, opts); err != nil {
		t.Fatal(err)
	}
	if err := unix.PtraceSyscall(p.pid, 0); err != nil {
		t.Fatal(err)
	}
	return p
}

// kill ends the program and collects all of its threads.
func (p *tracee) kill() {
	if !p.reaped {
		unix.Kill(p.pid, unix.SIGKILL)
	}
	for !p.reaped {
		var ws unix.WaitStatus
		// Any child: the leader's end is reported only after that of its threads has been collected.
		pid, err := unix.Wait4(-1, &ws, unix.WALL, nil)
		if err == unix.EINTR {
			continue
		}
		p.reaped = err != nil || pid == p.pid && (ws.Exited() || ws.Signaled())
	}
	for _, m := range p.files {
		if m.file != nil {
			m.file.Close()
		}
	}
}

// next runs the program to the next entry of a mapping call and returns the thread and its registers;
// ok is false where the program has ended. The thread stays stopped until resume.
func (p *tracee) next() (tid int, r unix.PtraceRegs, ok bool) {
	p.t.Helper()
	for {
		var ws unix.WaitStatus
		tid, err := unix.Wait4(-1, &ws, unix.WALL, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			p.t.Fatalf("wait: %v", err)
		}
		signal := 0
		switch {
		case ws.Exited() || ws.Signaled():
			delete(p.inside, tid)
			if tid == p.pid {
				p.reaped = true
				return 0, r, false
			}
			continue
		case ws.StopSignal() == unix.SIGTRAP|0x80:
			p.inside[tid] = !p.inside[tid]
			if err := unix.PtraceGetRegs(tid, &r); err != nil {
				break
			}
			switch r.Orig_rax {
			case unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MPROTECT, unix.SYS_MREMAP, unix.SYS_BRK:
				if p.inside[tid] {
					return tid, r, true
				}
				p.stale = true
			}
		case ws.TrapCause() > 0, ws.StopSignal() == unix.SIGSTOP, ws.StopSignal() == unix.SIGTRAP:
		default:
			signal = int(ws.StopSignal())
		}
		p.resume(tid, signal)
	}
}

func (p *tracee) resume(tid, signal int) { unix.PtraceSyscall(tid, signal) }

// mark runs the program to its mark.
func (p *tracee) mark() Regs {
	p.t.Helper()
	for {
		tid, r, ok := p.next()
		if !ok {
			p.t.Fatal("the program ended before its mark")
		}
		if r.Orig_rax == unix.SYS_MMAP && r.Rsi == markLength {
			return toRegs(&r)
		}
		p.resume(tid, 0)
	}
}

func toRegs(r *unix.PtraceRegs) Regs {
	return Regs{r.Rax, r.Rdx, r.Rcx, r.Rbx, r.Rsi, r.Rdi, r.Rbp, r.Rsp,
		r.R8, r.R9, r.R10, r.R11, r.R12, r.R13, r.R14, r.R15, r.Rip}
}

// ReadMemory implements RawMemory.
func (p *tracee) ReadMemory(addr uint64, b []byte) int {
	p.reads++
	n := 0
	for n < len(b) { // by the page: a read that fails part-way says how far it came
		at := addr + uint64(n)
		k := min(len(b)-n, int(4096-at%4096))
		local := []unix.Iovec{{Base: &b[n], Len: uint64(k)}}
		remote := []unix.RemoteIovec{{Base: uintptr(at), Len: k}}
		if got, err := unix.ProcessVMReadv(p.pid, local, remote, 0); err != nil || got < k {
			break
		}
		n += k
	}
	return n
}

// CodeAt implements Code.
func (p *tracee) CodeAt(pc uint64) (*Module, uint64, bool) {
	if p.stale {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid))
		if err == nil {
			p.maps, err = vm.ParseMaps(p.maps[:0], text)
		}
		if err != nil {
			p.t.Error(err)
		}
		p.stale = false
	}
	for i := range p.maps {
		m := &p.maps[i]
		if !m.Contains(pc) {
			continue
		}
		if m.Perms&vm.Exec == 0 {
			return nil, 0, false
		}
		mod := p.module(m)
		if mod.file == nil {
			return mod, pc, true
		}
		offset, ok := mod.file.VaddrOf(pc - m.Start + m.Offset)
		return mod, offset, ok
	}
	return nil, 0, false
}

func (p *tracee) module(m *vm.Mapping) *Module {
	path := m.File.Path
	if mod := p.files[path]; mod != nil {
		return mod
	}
	var f *elffile.File
	switch {
	case path == "[vdso]":
		b := make([]byte, m.Len())
		b = b[:p.ReadMemory(m.Start, b)]
		f, _ = elffile.Open(bytes.NewReader(b), int64(len(b)), path)
	case strings.HasPrefix(path, "/"):
		f, _ = elffile.OpenPath(path)
	}
	mod := NewModule(f)
	p.files[path] = mod
	return mod
}

// compile builds one of testdata/progs, once for all tests, and returns where it is. It must not be changed.
func compile(t testing.TB, source string, flags ...string) string {
	t.Helper()
	return testenv.Kept(t, strings.TrimSuffix(source, filepath.Ext(source)), fmt.Sprint(source, flags), func(out string) {
		t.Helper()
		compileTo(t, out, source, flags...)
	})
}

func compileTo(t testing.TB, out, source string, flags ...string) {
	t.Helper()
	var cmd *exec.Cmd
	path := filepath.Join("testdata", "progs", source)
	switch filepath.Ext(source) {
	case ".go":
		cmd = exec.Command("go", append(append([]string{"build", "-o", out}, flags...), path)...)
		cgo := "CGO_ENABLED=0"
		if source == "callback.go" {
			testenv.Need(t, "gcc")
			cgo = "CGO_ENABLED=1"
		}
		cmd.Env = append(os.Environ(), cgo)
	case ".cc":
		testenv.Need(t, "g++")
		cmd = exec.Command("g++", append([]string{"-o", out, path}, flags...)...)
	default:
		testenv.Need(t, "gcc")
		cmd = exec.Command("gcc", append([]string{"-o", out, path}, flags...)...)
	}
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, b)
	}
}

func (st *Stack) dump() string {
	var b strings.Builder
	for _, f := range st.Frames {
		name := "?"
		if f.Module != nil && f.Module.file != nil {
			name = filepath.Base(f.Module.file.Name())
		}
		fmt.Fprintf(&b, "  %#x %s+%#x %v call=%v\n", f.PC, name, f.Offset, f.How, f.Call)
	}
	fmt.Fprintf(&b, "  %v\n", st.End)
	return b.String()
}
