package record

import (
	"strings"
	"time"

	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/tracer"
)

// orderRules are the gates' rules, answered by the recorder.
func (r *Recorder) orderRules() *order.Rules {
	return &order.Rules{
		Now:        time.Now,
		Stuck:      func(c *order.Call, inside time.Duration) bool { return r.tasks.stuck(c.Owner.(*pending).task, inside) },
		Killed:     func(c *order.Call) bool { return c.Owner.(*pending).task.thread.Killed() },
		OneAtATime: r.opts.Verify == VerifyEach,
	}
}

// maxHold is how long a call that runs, or whose thread waits for a processor, may keep others waiting.
const maxHold = time.Second

// stuck reports whether the call of a task waits in the kernel for something outside. One that runs, waits for a processor, or
// sleeps for mmap_lock does not: it only needs time. Nor does one in a space where another thread runs or waits for a
// processor, since that may hold the lock, until it has had four times as long as others.
func (l tasks) stuck(t *task, waited time.Duration) bool {
	tid := t.thread.TID
	state := tracer.State(tid)
	if state == 't' {
		return false // it has returned, but its stop has not been seen yet
	}
	if waited >= maxHold {
		return true
	}
	if state != 'S' && state != 'D' || waitsForKernel(tracer.WaitsIn(tid)) {
		return false
	}
	return waited >= 4*order.HoldBound || !l.runnable(t.space)
}

// waitsForKernel reports whether a call that sleeps in this kernel function waits for mmap_lock or for the kernel
// itself, not for anything that we hold: mmap_lock is taken by the functions that the calls begin with (mm/mmap.c,
// mm/util.c, mm/mprotect.c, mm/mremap.c, mm/madvise.c, ipc/shm.c, fs/aio.c, arch/x86/kernel/shstk.c, kernel/fork.c;
// with their names before and after they were inlined), and io_destroy waits for an RCU grace period.
func waitsForKernel(function string) bool {
	for _, prefix := range [...]string{"__x64_sys_", "__ia32_sys_", "__do_sys_", "__se_sys_", "ksys_", "do_", "__"} {
		if rest, ok := strings.CutPrefix(function, prefix); ok {
			function = rest
			break
		}
	}
	switch function {
	case "vm_mmap_pgoff", "mmap", "vm_munmap", "munmap", "mprotect_pkey", "mprotect", "pkey_mprotect", "mremap", "brk", "remap_file_pages",
		"madvise", "madvise_lock", "process_madvise", "shmat", "shmdt", "aio_setup_ring", "ioctx_alloc", "io_setup", "io_destroy",
		"alloc_shstk", "map_shadow_stack", "prctl_set_vma", "prctl", "dup_mmap", "dup_mm", "copy_mm":
		return true
	}
	return false
}

// runnable reports whether a thread of the space runs or waits for a processor: it may hold the lock that others wait
// for.
func (l tasks) runnable(sp *space) bool {
	for tid, t := range l {
		if t.space == sp && tracer.State(tid) == 'R' {
			return true
		}
	}
	return false
}
