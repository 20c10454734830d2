package tracer

import (
	"fmt"
	"runtime"
	"syscall"
	"time"
	"unsafe"
)

// collect waits for at least one tracee and then takes all that have stopped meanwhile: waitpid returns the first
// stopped task of its list, so serving one at a time would starve later ones.
func (t *Tracer) collect() error {
	first, e := t.wait()
	switch e {
	case 0:
	case syscall.EINTR:
		return nil
	case syscall.ECHILD:
		// Tracees killed by another thread's execve vanish without a report.
		clear(t.threads)
		clear(t.newborn)
		return nil
	default:
		return fmt.Errorf("wait4: %w", e)
	}
	if t.queue == nil || cap(t.queue) < 64 {
		t.queue = make([]wait, 0, 256)
	}
	t.queue = append(t.queue[:0], first)
	for len(t.threads) > 1 {
		tid, status, e := wait4(false)
		if e != 0 || tid == 0 {
			break
		}
		t.queue = append(t.queue, wait{tid, status})
	}
	return nil
}

// Telling Go's scheduler that a wait blocks, and getting the processor back afterwards, costs a twelfth of the cost
// of an event. But a wait that the scheduler does not know of must be short: a garbage collection that has to stop
// the world waits for it. So the scheduler is not told only while stops follow each other closely, and a kernel timer
// ends a wait that takes long.

const (
	// A wait below closeStops is short. After manyStops short ones in a row the next is expected to be short.
	closeStops = 100 * time.Microsecond
	manyStops  = 16
	// The longest wait that the scheduler is not told of.
	longestHurry = 5 * time.Millisecond
)

// hurry decides whether Go's scheduler is informed of the next wait.
type hurry struct {
	timer  int32 // POSIX timer id, valid if exists
	exists bool
	never  bool // there is no timer, or only one goroutine can run at a time
	on     bool // the timer runs, and the scheduler is not told
	inARow int  // short waits
}

// wait waits for any tracee. A signal ends it with EINTR.
func (t *Tracer) wait() (w wait, err syscall.Errno) {
	h := &t.hurry
	if h.on {
		w.tid, w.status, err = wait4Untold()
		if err != 0 {
			t.takeTime()
		}
		return w, err
	}
	start := time.Now()
	w.tid, w.status, err = wait4(true)
	if h.never || err != 0 || time.Since(start) > closeStops {
		h.inARow = 0
	} else if h.inARow++; h.inARow >= manyStops {
		t.hurryUp()
	}
	return w, err
}

// hurryUp begins to wait without informing Go's scheduler.
func (t *Tracer) hurryUp() {
	h := &t.hurry
	if !h.exists {
		if runtime.GOMAXPROCS(0) < 2 || !h.create(t.tid) {
			h.never = true
			return
		}
	}
	h.on = h.set(longestHurry)
	h.never = !h.on
}

// takeTime ends the state that hurryUp has begun.
func (t *Tracer) takeTime() {
	if h := &t.hurry; h.on {
		h.set(0)
		h.on, h.inARow = false, 0
	}
}

// create makes a timer that sends WakeSignal, which interrupts a wait, to thread tid. It reports whether the kernel
// made it.
func (h *hurry) create(tid int) bool {
	// struct sigevent of timer_create(2)
	event := struct {
		value          uint64
		signal, notify int32
		tid            int32
		_              [11]int32
	}{signal: int32(WakeSignal), notify: sigevThreadID, tid: int32(tid)}
	_, _, e := syscall.RawSyscall(syscall.SYS_TIMER_CREATE, clockMonotonic, uintptr(unsafe.Pointer(&event)), uintptr(unsafe.Pointer(&h.timer)))
	h.exists = e == 0
	return h.exists
}

const (
	sigevThreadID  = 4 // SIGEV_THREAD_ID of asm-generic/siginfo.h
	clockMonotonic = 1 // CLOCK_MONOTONIC of linux/time.h
)

// set makes the timer fire at this interval, never for 0. It reports whether the kernel accepted that.
func (h *hurry) set(every time.Duration) bool {
	spec := [2]syscall.Timespec{syscall.NsecToTimespec(int64(every)), syscall.NsecToTimespec(int64(every))} // interval, first
	_, _, e := syscall.RawSyscall6(syscall.SYS_TIMER_SETTIME, uintptr(h.timer), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	return e == 0
}
