package tracer

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// patience is how many times, pause apart, something is tried that fails only while a thread of the process calls
// execve(2).
const patience, pause = 20, time.Millisecond

// seizeAll seizes the threads of pid until two scans in a row find no new one: threads created meanwhile by seized ones
// are attached by the kernel. None is interrupted yet; see stopAll. A thread that calls execve takes over its leader's tid, and
// for a moment the kernel refuses to seize that tid: only a lasting refusal counts.
func (t *Tracer) seizeAll(pid int, options uintptr) error {
	refusals := 0
	for clean := 0; clean < 2; clean++ {
		found, refused := t.seizeNew(pid, options)
		if found {
			clean = -1
		}
		if refused == nil {
			continue
		}
		if refusals++; refusals > patience || tracedByOther(pid, t.tid) {
			return refused
		}
		clean = -1
		time.Sleep(pause)
	}
	return nil
}

// seizeNew seizes the threads of pid that are not our tracees yet.
func (t *Tracer) seizeNew(pid int, options uintptr) (found bool, refused error) {
	tids, err := tasks(pid)
	if err != nil {
		return false, fmt.Errorf("attach %d: no such process: it ended just now", pid)
	}
	for _, tid := range tids {
		if t.threads[tid] != nil {
			continue
		}
		e := t.seize(pid, tid, options)
		if e == 0 {
			th := &Thread{TID: tid, TGID: pid}
			delete(t.newborn, tid)
			t.add(th)
			found = true
			continue
		}
		st, err := readStatus(tid)
		switch {
		case e == syscall.ESRCH || err != nil: // it has ended
		case st.tracer == t.tid: // the kernel has attached it
			th := &Thread{TID: tid, TGID: pid}
			if t.newborn[tid] != nil {
				th.state = stopped
				delete(t.newborn, tid)
			}
			t.add(th)
			found = true
		case st.state == 'Z' && tid == pid && len(tids) == 1:
			return found, fmt.Errorf("attach %d: no such process: it is a zombie that its parent has not waited for", pid)
		case st.state == 'Z' || st.state == 'X':
		default:
			return found, fmt.Errorf("attach %d: %s", pid, explainRefusal(pid, e))
		}
	}
	return found, nil
}

// seizeBound is how long PTRACE_SEIZE may block before a deadlock is assumed.
const seizeBound = 5 * time.Millisecond

// seize is PTRACE_SEIZE. It waits for an execve of the same process to end (cred_guard_mutex), and the execve waits
// until all other threads have been killed and reaped: those that are already our tracees wait for us. So another
// thread of ours reaps them meanwhile, and no thread stops at its exit before all are seized: only this thread could
// resume it from that stop.
func (t *Tracer) seize(pid, tid int, options uintptr) syscall.Errno {
	over, reaped := make(chan struct{}), make(chan []wait)
	timer := time.AfterFunc(seizeBound, func() {
		var list []wait
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-over:
				tick.Stop()
				reaped <- list
				return
			case <-tick.C:
				list = append(list, reap(pid)...)
			}
		}
	})
	_, _, e := syscall.Syscall6(syscall.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(tid), 0, options&^unix.PTRACE_O_TRACEEXIT, 0, 0)
	if !timer.Stop() {
		close(over)
		t.queue = append(t.queue, <-reaped...)
	}
	return e
}

// reap waits for those threads of a process that are zombies and tracees of any thread of ours.
func reap(pid int) (list []wait) {
	tids, _ := tasks(pid)
	for _, tid := range tids {
		if st, err := readStatus(tid); err != nil || st.state != 'Z' || st.tracer == 0 {
			continue
		}
		var status int32
		r, _, e := syscall.Syscall6(syscall.SYS_WAIT4, uintptr(tid), uintptr(unsafe.Pointer(&status)), unix.WALL|unix.WNOHANG, 0, 0, 0)
		if e == 0 && int(r) == tid {
			list = append(list, wait{tid, unix.WaitStatus(status)})
		}
	}
	return list
}

// tracedByOther reports whether another tracer traces the process.
func tracedByOther(pid, self int) bool {
	st, err := readStatus(pid)
	return err == nil && st.tracer != 0 && st.tracer != self
}

// tasks lists the threads of a process.
func tasks(pid int) ([]int, error) {
	dir, err := os.Open(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	tids := make([]int, 0, len(names))
	for _, n := range names {
		if tid, err := strconv.Atoi(n); err == nil {
			tids = append(tids, tid)
		}
	}
	if len(tids) == 0 {
		return nil, os.ErrNotExist
	}
	return tids, nil
}

// replaced reports whether a thread of the process that is not our tracee has taken over the leader's tid by execve, or
// is about to: the leader is a zombie then and the thread still has its own tid. The end of the former leader is not
// reported (ptrace(2), "execve(2) under ptrace").
func (t *Tracer) replaced(pid int) bool {
	tids, _ := tasks(pid) // before the status: a thread that is not in the list has the leader's tid by then
	for _, tid := range tids {
		if t.threads[tid] == nil && t.newborn[tid] == nil {
			return true
		}
	}
	st, err := leaderStatus(pid)
	if err != nil || st.tracer == t.tid || st.state == 'Z' || st.state == 'X' {
		return false
	}
	if th := t.threads[pid]; th != nil {
		t.remove(th)
	}
	return true
}

// leaderStatus reads the status of a process. While a thread takes over the leader's tid by execve, the status of the
// former, dead leader may be read (de_thread in Linux's fs/exec.c): it is read again as long as kill(2) finds the
// process.
func leaderStatus(pid int) (st status, err error) {
	for range patience {
		if st, err = readStatus(pid); err == nil && st.tgid != 0 && st.state != 'X' {
			break
		}
		if syscall.Kill(pid, 0) == syscall.ESRCH {
			break
		}
		time.Sleep(pause)
	}
	return st, err
}
