package record

import (
	"runtime"
	"slices"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
)

// Calls come in any order and are settled in that of their stamps, as far as the source is complete.
func TestStampsOrder(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const exe = "400000-401000 r-xp /bin/two\n"
	p := newRecorded(t, exe+"7f0000000000-7f0000001000 rw-p\n")
	p.r.opts.Verify = VerifyOff
	p.r.backend.kind, p.r.tracer = tracer.BySigtrap, tracer.New()
	p.sp.users = 2
	other := &tracer.Thread{TID: 101, TGID: 100}
	other.Data = &task{thread: other, space: p.sp, pid: 100}
	p.r.tasks[101] = other.Data.(*task)

	at := vm.Range{Start: 0x7f0000000000, End: 0x7f0000001000}
	mmap := recordedCall(tracer.ABI64, "mmap", vm.Op{Kind: vm.OpMap, Len: 0x1000, Prot: vm.ProtRead, Flags: vm.MapPrivate | vm.MapAnonymous, FD: -1})
	munmap := recordedCall(tracer.ABI64, "munmap", vm.Op{Kind: vm.OpUnmap, Range: at, Addr: at.Start, Len: at.Len()})
	stop := func(th *tracer.Thread, c tracer.Call, result int64, order uint64) {
		p.r.handle(&tracer.Stop{Kind: tracer.Returned, Thread: th, Call: &c, Result: result, Order: order})
	}
	settled := func(upTo uint64) []string {
		p.r.handle(&tracer.Stop{Kind: tracer.Settled, Order: upTo})
		return p.lines()
	}
	stop(other, mmap, 0x7f0000000000, 30) // of the place that the munmap made free
	stop(p.thread, munmap, 0, 20)
	if p.source.resumed != 2 {
		t.Errorf("%d are resumed, want both at once", p.source.resumed)
	}
	p.expect(settled(10))
	p.expect(settled(25), "1 munmap; 0x7f0000000000-0x7f0000001000 rw-p: nothing")
	p.expect(settled(30), "2 mmap; 0x7f0000000000-0x7f0000001000 nothing: r--p of 2")

	// A failed munmap of a range that somebody has mapped anew since changes nothing; one that is alone is settled at once.
	p.sp.users = 1
	p.kernel(exe + "7f0000000000-7f0000001000 r--p\n")
	stop(p.thread, munmap, -22, 40)
	p.expect(p.lines(), "3 munmap EINVAL")

	// Of two locks with one stamp nobody knows which was first.
	p.sp.users = 2
	p.r.opts.Verify = VerifyOff
	stop(p.thread, munmap, 0, 50)
	stop(other, mmap, 0x7f0000000000, 50)
	p.expect(settled(50), "4 munmap; 0x7f0000000000-0x7f0000001000 r--p of 2: nothing", "5 mmap  uncertain; 0x7f0000000000-0x7f0000001000 nothing: r--p of 5")
}

// The last lock of a thread that was killed when its call had failed may be that of a call before it, of which nobody has told:
// the mappings are compared.
func TestKilledInFailedCall(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := newRecorded(t, "7f0000000000-7f0000002000 rw-p\n")
	p.r.opts.Verify = VerifyOff
	p.r.backend.kind, p.r.tracer = tracer.BySigtrap, tracer.New()
	p.sp.users = 2
	other := &tracer.Thread{TID: 101, TGID: 100}
	other.Data = &task{thread: other, space: p.sp, pid: 100}
	p.r.tasks[101] = other.Data.(*task)

	at := vm.Range{Start: 0x7f0000000000, End: 0x7f0000001000}
	munmap := recordedCall(tracer.ABI64, "munmap", vm.Op{Kind: vm.OpUnmap, Range: at, Addr: at.Start, Len: at.Len()})
	execve := recordedCall(tracer.ABI64, "execve", vm.Op{Kind: vm.OpExec})
	for _, c := range []tracer.Call{execve, munmap} {
		p.sp.stamps.look, p.sp.stamps.unseen, p.sp.stamps.lost = false, false, 0
		p.r.handle(&tracer.Stop{Kind: tracer.Exiting, Thread: other, Call: &c, Result: -11, Order: 20, First: 20, Count: 1})
		if st := &p.sp.stamps; !st.look || !st.unseen || st.lost != 20 {
			t.Errorf("%s: the mappings are not to be compared: %+v", c.Syscall.Name, st)
		}
		if got := p.lines(); slices.Contains(got, "note incomplete") {
			t.Errorf("%s: %q: SIGTRAP may have come", c.Syscall.Name, got)
		}
	}
	p.sp.stamps.unseen = false // a call that has succeeded has had its lock
	p.r.handle(&tracer.Stop{Kind: tracer.Exiting, Thread: p.thread, Call: &munmap, Order: 30})
	if p.sp.stamps.unseen {
		t.Error("the last lock of a call that succeeded is its own")
	}
}
