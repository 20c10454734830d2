package tracer

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/testenv"
)

// filtered is set for a child that runs TestFiltered: the names of the filters that it gives itself.
const filtered = "VMBLAME_TEST_FILTERED"

// Filters kill the process that makes a call which they are against.
var ownFilters = map[string][]unix.SockFilter{
	// Any rt_sigaction.
	"number": against(
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompNr), jump(unix.BPF_JEQ, unix.SYS_RT_SIGACTION)),
	// rt_sigaction of SIGTRAP, by way of scratch memory, x and arithmetic.
	"signal": against(
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompArgs), stmt(unix.BPF_ALU|unix.BPF_LSH|unix.BPF_K, 8), stmt(unix.BPF_ST, 3),
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompNr), stmt(unix.BPF_LDX|unix.BPF_MEM, 3), stmt(unix.BPF_ALU|unix.BPF_OR|unix.BPF_X, 0),
		jump(unix.BPF_JEQ, uint32(unix.SIGTRAP)<<8|unix.SYS_RT_SIGACTION)),
	// rt_sigaction that sets an action: the upper half of the pointer to it. That of SIGINT it does not look at.
	"pointer": against(
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompNr), skip(unix.BPF_JEQ, unix.SYS_RT_SIGACTION, 1), stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW),
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompArgs), skip(unix.BPF_JEQ, uint32(unix.SIGTRAP), 1), stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW),
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompArgs+8+4), jump(unix.BPF_JGT, 0)),
	"sigreturn": against(
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompNr), jump(unix.BPF_JEQ, unix.SYS_RT_SIGRETURN)),
	// The kernel's way to go on with a wait that a stop has interrupted.
	"restart": against(
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompNr), jump(unix.BPF_JEQ, unix.SYS_RESTART_SYSCALL)),
	// Calls of another architecture and of another signal.
	"others": against(
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompArch), skip(unix.BPF_JEQ, unix.AUDIT_ARCH_X86_64, 1), stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_KILL_PROCESS),
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompNr), skip(unix.BPF_JEQ, unix.SYS_RT_SIGACTION, 1), stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_LOG),
		stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, seccompArgs), jump(unix.BPF_JEQ, uint32(unix.SIGUSR2))),
}

func stmt(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

// skip goes n instructions further if the test holds.
func skip(test uint16, k uint32, n uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_K | test, K: k, Jt: n}
}

// jump is the last test of a filter: it is against the call if it holds.
func jump(test uint16, k uint32) unix.SockFilter { return skip(test, k, 1) }

func against(tests ...unix.SockFilter) []unix.SockFilter {
	return append(tests, stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_ALLOW), stmt(unix.BPF_RET|unix.BPF_K, unix.SECCOMP_RET_KILL_PROCESS))
}

// TestFiltered is the program of TestOwnFilters.
func TestFiltered(t *testing.T) {
	names := os.Getenv(filtered)
	if names == "" {
		return
	}
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	for name := range strings.FieldsSeq(names) {
		code := ownFilters[name]
		prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
		const set, allThreads = 1, 1 // SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC
		if _, _, e := unix.Syscall(unix.SYS_SECCOMP, set, allThreads, uintptr(unsafe.Pointer(&prog))); e != 0 {
			t.Fatal(e)
		}
	}
	os.Stdout.WriteString("ready\n")
	for e := unix.EINTR; e == unix.EINTR; { // of its own signals; poll(2), not ppoll(2), goes on by restart_syscall(2)
		_, _, e = unix.Syscall(unix.SYS_POLL, uintptr(unsafe.Pointer(&unix.PollFd{Events: unix.POLLIN})), 1, uintptr(time.Hour/time.Millisecond))
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Stdout.WriteString("right\n")
}

// A process with filters of its own is made to ignore SIGTRAP where all of them let it, and is left alone where one would
// kill it for that.
func TestOwnFilters(t *testing.T) {
	testenv.Need(t, "sigtrap")
	for filters, why := range map[string]string{
		"others": "", "others others": "",
		"number": filterForbids.Error(), "signal": filterForbids.Error(), "pointer": filterForbids.Error(), "sigreturn": filterForbids.Error(),
		"number others": filterForbids.Error(), "others signal": filterForbids.Error(),
	} {
		t.Run(filters, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestFiltered$")
			cmd.Env = append(os.Environ(), filtered+"="+filters, "GODEBUG=asyncpreemptoff=1")
			in, out := testenv.Waiting(t, cmd)
			said := bufio.NewReader(out)
			if line, err := said.ReadString('\n'); line != "ready\n" {
				t.Fatalf("%q, %v", line, err)
			}
			pid := cmd.Process.Pid
			before, err := readStatus(pid)
			if err != nil {
				t.Fatal(err)
			}
			on(t, func(tr *Tracer) {
				if err := tr.Arm(); err != nil {
					t.Error(err)
					return
				}
				if _, err := tr.Attach(pid, true); err != nil {
					t.Error(err)
					return
				}
				var told []string
				for _, u := range tr.Unprotected() {
					told = append(told, u.Why)
				}
				var want []string
				if why != "" {
					want = []string{why}
				}
				st, err := readStatus(pid)
				if ignored := err == nil && st.ignored&trapBit != 0; ignored != (why == "") || !slices.Equal(told, want) {
					t.Errorf("it ignores SIGTRAP: %v; told %q, want %q", ignored, told, want)
				}
				if left := tr.Detach(); left != 0 {
					t.Errorf("%d threads are left", left)
				}
			})
			after, err := readStatus(pid)
			if err != nil || after.ignored != before.ignored || after.caught != before.caught {
				t.Errorf("%+v, %v; before %+v", after, err, before)
			}
			in.Close()
			if text, _ := io.ReadAll(said); !strings.HasPrefix(string(text), "right\n") {
				t.Errorf("it said %q at its end", text)
			}
		})
	}
}

// A program whose filter would kill it for going on with a wait outlives the stops of attach and detach.
func TestFilterForbidsGoingOn(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestFiltered$")
	cmd.Env = append(os.Environ(), filtered+"=restart others", "GODEBUG=asyncpreemptoff=1")
	in, out := testenv.Waiting(t, cmd)
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	pid := cmd.Process.Pid
	until(t, "it polls", func() bool {
		calls, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		return slices.ContainsFunc(calls, func(name string) bool {
			call, _ := os.ReadFile(name)
			return strings.HasPrefix(string(call), fmt.Sprint(unix.SYS_POLL, " "))
		})
	})
	on(t, func(tr *Tracer) {
		for range 3 {
			if _, err := tr.Attach(pid, true); err != nil {
				t.Error(err)
				return
			}
			if left := tr.Detach(); left != 0 {
				t.Errorf("%d threads are left", left)
			}
			tr.parking = false
		}
	})
	in.Close()
	if text, _ := io.ReadAll(said); !strings.HasPrefix(string(text), "right\n") {
		t.Errorf("it said %q at its end", text)
	}
}
