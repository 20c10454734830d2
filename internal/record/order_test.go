package record

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

func pages(from, to uint64) vm.Range {
	return vm.Range{Start: from * vm.PageSize, End: to * vm.PageSize}
}

// orderSpace has pages 10 to 20 mapped and its program break at page 100.
func orderSpace() *space {
	sp := &space{ledger: ledger.New(), brk: 100 * vm.PageSize, users: 2}
	sp.ledger.Load([]vm.Mapping{{Range: pages(10, 20), Perms: vm.Read}}, func(vm.Mapping) ledger.Origin { return ledger.Origin{} })
	return sp
}

func call(kind vm.OpKind, at vm.Range) tracer.Call {
	return tracer.Call{Syscall: &tracer.Syscall{}, Op: vm.Op{Kind: kind, Range: at}}
}

func fixedMap(at vm.Range) tracer.Call {
	c := call(vm.OpMap, at)
	c.Op.Fixed = true
	return c
}

func brkTo(page uint64) tracer.Call {
	c := call(vm.OpBrk, vm.Range{})
	c.Op.Addr = page * vm.PageSize
	return c
}

func TestConflicts(t *testing.T) {
	mmap := call(vm.OpMap, vm.Range{})
	narrow := call(vm.OpUnmap, pages(10, 11))
	narrow.ABI = tracer.ABI32
	grows := call(vm.OpProtect, pages(10, 11))
	grows.Op.Prot = vm.ProtGrowsDown
	vfork := call(vm.OpClone, vm.Range{})
	vfork.Op.CloneFlags = vm.CloneVM
	for _, c := range []struct {
		name  string
		a, b  tracer.Call
		waits bool // b waits for a
	}{
		{"two mmaps", mmap, mmap, false},
		{"munmap of what is mapped, then mmap", call(vm.OpUnmap, pages(10, 12)), mmap, false},
		{"mmap, then munmap of what is mapped", mmap, call(vm.OpUnmap, pages(10, 12)), false},
		{"munmap over a hole, then mmap", call(vm.OpUnmap, pages(18, 22)), mmap, true},
		{"mmap, then munmap over a hole", mmap, call(vm.OpUnmap, pages(18, 22)), true},
		{"mmap, then mprotect over a hole", mmap, call(vm.OpProtect, pages(18, 22)), true},
		{"mmap, then MAP_FIXED beside", mmap, fixedMap(pages(30, 32)), true},
		{"MAP_FIXED beside, then mmap", fixedMap(pages(30, 32)), mmap, true},
		{"MAP_FIXED over pages, then mmap", fixedMap(pages(10, 12)), mmap, false},
		{"munmaps side by side", call(vm.OpUnmap, pages(10, 12)), call(vm.OpUnmap, pages(12, 14)), false},
		{"munmaps that overlap", call(vm.OpUnmap, pages(10, 13)), call(vm.OpUnmap, pages(12, 14)), true},
		{"mprotect and munmap of the same", call(vm.OpProtect, pages(10, 13)), call(vm.OpUnmap, pages(10, 13)), true},
		{"brk up, brk up", brkTo(110), brkTo(120), true},
		{"brk up, mmap", brkTo(110), mmap, false},
		{"brk up, MAP_FIXED in its way", brkTo(110), fixedMap(pages(105, 106)), true},
		{"mremap, then mmap", call(vm.OpRemap, pages(10, 11)), mmap, true},
		{"mmap, then mremap", mmap, call(vm.OpRemap, pages(10, 11)), true},
		{"fork, then munmap", call(vm.OpClone, vm.Range{}), call(vm.OpUnmap, pages(10, 11)), true},
		{"vfork, then munmap", vfork, call(vm.OpUnmap, pages(10, 11)), false},
		{"madvise, then anything", call(vm.OpAdvise, pages(10, 11)), call(vm.OpUnmap, pages(10, 11)), false},
		{"i386 munmap, then mmap", narrow, mmap, true},
		{"mprotect GROWSDOWN, then mmap", grows, mmap, true},
	} {
		sp := orderSpace()
		a, b := &flight{call: c.a}, &flight{call: c.b}
		for _, f := range []*flight{a, b} {
			new(Recorder).classify(sp, f)
			f.live = f.class == fixed && sp.ledger.Covered(f.at)
		}
		if got := b.conflicts(a); got != c.waits {
			t.Errorf("%s: waits %v", c.name, got)
		}
		if a.conflicts(b) != b.conflicts(a) {
			t.Errorf("%s: not symmetric", c.name)
		}
	}
}

// What waits is let go in its order, and a later call does not overtake one that it conflicts with.
func TestWaitingIsFair(t *testing.T) {
	r, sp := &Recorder{}, orderSpace()
	flights := []*flight{
		{call: call(vm.OpUnmap, pages(10, 12))},
		{call: call(vm.OpRemap, pages(15, 16))},
		{call: call(vm.OpUnmap, pages(18, 19))},
	}
	for _, f := range flights {
		new(Recorder).classify(sp, f)
		f.live = true
	}
	sp.inFlight = []*flight{flights[0]}
	if !r.blocked(sp, flights[1], 0) {
		t.Error("mremap does not wait for munmap")
	}
	sp.waiting = []*flight{flights[1]}
	if !r.blocked(sp, flights[2], len(sp.waiting)) {
		t.Error("munmap overtakes the mremap that waits")
	}
	flights[0].stuck = true
	if r.blocked(sp, flights[1], 0) {
		t.Error("mremap waits for a call that is stuck")
	}
	r.doubt(sp, flights[1])
	if !flights[0].uncertain || !flights[1].uncertain || !sp.uncertain {
		t.Error("nothing tells that the order is uncertain")
	}
}

func TestPatience(t *testing.T) {
	r := &Recorder{}
	now := time.Now()
	f := &flight{admitted: now.Add(-patience), task: &task{thread: &tracer.Thread{TID: os.Getpid()}}}
	if !r.blockedInKernel(f, now) {
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
	now := time.Now()
	f := &flight{admitted: now.Add(-2 * patience), task: &task{thread: &tracer.Thread{TID: cmd.Process.Pid}}}
	if r.blockedInKernel(f, now) {
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
