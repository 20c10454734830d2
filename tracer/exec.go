package tracer

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/vmblame/vmblame/internal/vm"
)

// execed handles PTRACE_EVENT_EXEC, and reports whether it filled t.stop. The kernel reports this event under the
// leader's tid, whichever thread called execve(2).
func (t *Tracer) execed(th *Thread) bool {
	th, former := t.renamed(th)
	if th == nil {
		return false
	}
	t.execShield(th.TGID)
	s := Stop{Kind: Execed, Thread: th, Former: former}
	if th.followed {
		s.Call = &th.call
	}
	if t.backend == BySigtrap && !t.prelude {
		s.Call, s.Path = t.execCall(th), execPath(th.TID)
	}
	th.followed = false
	th.inCall = t.backend == BySyscall // the exit stop of execve is still to come
	if t.prelude {
		t.prelude = false
		th.inCall = false
	}
	if t.attaching && !th.born {
		return false // Attach introduces it
	}
	// If the stop that would have introduced it was lost in the exec, this one does.
	th.born = true
	ptraceGetRegs(th.TID, &th.regs)
	t.arm(th) // the exec has closed its perf event
	return t.out(s)
}

// renamed returns the thread that called execve(2), when its stop is reported for the leader th, and the tid that it
// had before. It returns nil if the thread has been killed meanwhile.
func (t *Tracer) renamed(th *Thread) (caller *Thread, former int) {
	msg, e := ptraceEventMessage(th.TID)
	if e != 0 || th.Killed() {
		th.state = running // the event message may be that of its exit stop, and no thread's former tid
		return nil, 0
	}
	former = int(msg)
	if caller = t.threads[former]; former == th.TID || caller == nil {
		return th, former
	}
	shield := t.armed.shields[th.TGID] // no thread of the group is left for a moment, and with the last one it goes
	t.remove(th)
	t.remove(caller)
	if shield != nil {
		t.armed.shields[th.TGID] = shield
	}
	caller.TID = caller.TGID
	caller.state, caller.inside = stopped, true
	caller.grouped, caller.interrupted, caller.entering, caller.toDeliver = false, false, false, 0
	t.add(caller)
	return caller, former
}

// execCall returns the execve(2) that made the image that the thread is about to run, without its arguments.
func (t *Tracer) execCall(th *Thread) *Call {
	nr, e := ptracePeekUser(th.TID, offsetOrigRAX)
	if e != 0 {
		return nil
	}
	s := t.table.lookup(ABI64, nr)
	if s == nil || s.Effect != vm.OpExec {
		if s = t.table.lookup(ABI32, nr); s == nil || s.Effect != vm.OpExec {
			return nil
		}
	}
	th.call = Call{Syscall: s}
	th.call.Op.Kind = vm.OpExec
	return &th.call
}

// execPath reads AT_EXECFN (getauxval(3)) of a new image: the path that execve was given.
func execPath(tid int) string {
	const execfn, size = 31, 8
	auxv, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", tid))
	if err != nil {
		return ""
	}
	for ; len(auxv) >= 2*size; auxv = auxv[2*size:] {
		if binary.NativeEndian.Uint64(auxv) == execfn {
			th := Thread{TID: tid}
			path, _ := th.ReadString(binary.NativeEndian.Uint64(auxv[size:]), 4096)
			return path
		}
	}
	return ""
}
