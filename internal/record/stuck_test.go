package record

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/tracer"
)

func TestMaxHold(t *testing.T) {
	r := &Recorder{}
	f := &pending{task: &task{thread: &tracer.Thread{TID: os.Getpid()}}}
	if !r.tasks.stuck(f.task, maxHold) {
		t.Error("a call may keep others waiting for ever")
	}
}

// A thread that stands at the end of its call keeps nobody waiting, however late its tracer comes.
func TestLateTracer(t *testing.T) {
	runtime.LockOSThread() // a tracee belongs to a thread
	defer runtime.UnlockOSThread()
	cmd := exec.Command("true")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_, _ = cmd.Process.Wait()
	}()
	// Reported and not taken: it stands where the kernel tells of its execve.
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WSTOPPED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	r := &Recorder{}
	f := &pending{task: &task{thread: &tracer.Thread{TID: cmd.Process.Pid}}}
	if r.tasks.stuck(f.task, 2*maxHold) {
		t.Error("a call that has returned counts as stuck")
	}
}

func TestWaitsForKernel(t *testing.T) {
	for function, want := range map[string]bool{
		"vm_mmap_pgoff": true, "__vm_munmap": true, "do_mprotect_pkey": true, "do_mremap": true, "__do_sys_brk": true,
		"__x64_sys_munmap": true, "ksys_shmdt": true, "__do_sys_io_destroy": true, "dup_mmap": true,
		"": false, "userfaultfd_event_wait_completion": false, "handle_userfault": false, "request_wait_answer": false,
		"folio_wait_bit_common": false, "futex_do_wait": false, "do_wait": false, "__do_sys_pause": false,
	} {
		if waitsForKernel(function) != want {
			t.Errorf("%q: %v", function, !want)
		}
	}
}
