package tracer

import (
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/vm"
)

// Advice that moves pages (vm.OpPages) does not take mmap_lock for writing: with BySigtrap each thread has a second event for it.

// FollowAdvice makes the Tracer follow calls of madvise(2) that change which pages are in memory and no mapping
// (vm.OpPages). It must be called before Arm, Attach or Prepare. With BySigtrap each such call costs a stop, and every
// system call of the machine gets a little slower: the kernel has one switch for the tracepoints of all system calls.
func (t *Tracer) FollowAdvice() {
	t.advice = true
	t.table = newNumbers(followed(true))
}

// adviceTracepoint returns the tracepoint of madvise(2), with a filter that passes the values in pageAdvice. The signal
// is sent when the call returns. Advice for which the kernel takes the lock for writing is not among the values: two
// signals would become one.
func adviceTracepoint() (tracepoint, error) {
	id, err := tracepointID("syscalls/sys_enter_madvise")
	var filter []string
	for _, w := range pageAdvice {
		filter = append(filter, "behavior=="+strconv.Itoa(int(w.Value)))
	}
	return tracepoint{id, strings.Join(filter, "||") + "\x00", adviceData}, err
}

// takeAdvice removes the records of madvise(2) of which no stop has told, and returns their number.
func (th *Thread) takeAdvice() int {
	if th.advice == nil {
		return 0
	}
	n := len(th.advice.open)
	th.advice.open = th.advice.open[:0]
	return n
}

// Unadvised returns how many followed calls of madvise(2) were made, since the last call of Unadvised, by threads that
// block SIGTRAP. No stop reports these. The C libraries block all signals where a thread ends and gives back its stack.
func (t *Tracer) Unadvised() uint64 {
	n := t.armed.unadvised
	t.armed.unadvised = 0
	return n
}

// advised handles the stop after a madvise(2), and reports whether it filled t.stop: only if the call is followed.
func (t *Tracer) advised(th *Thread) bool {
	t.protect(th)
	if ptraceGetRegs(th.TID, &th.regs) != 0 {
		return false // killed here: its exit stop tells, or its end
	}
	n := th.takeAdvice()
	told := t.decode(th) && th.call.Op.Kind == vm.OpPages
	if told && n > 0 {
		n--
	}
	t.armed.unadvised += uint64(n)
	if th.Ignore || !told {
		t.Resume(th)
		return false
	}
	return t.out(Stop{Kind: Advised, Thread: th, Call: &th.call, Result: th.result()})
}
