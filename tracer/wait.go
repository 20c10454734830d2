package tracer

import "golang.org/x/sys/unix"

// why says what kind of ptrace-stop a wait status reports.
type why uint8

const (
	otherStop why = iota
	syscallStop
	seccompStop
	cloneStop
	execStop
	exitStop
	groupStop
	trapStop
	signalStop
)

// classify reads the wait status of a stopped tracee (ptrace(2), "Stopped states").
func classify(status unix.WaitStatus) why {
	sig := int(status>>8) & 0xff
	switch event := int(status >> 16); event {
	case 0:
	case unix.PTRACE_EVENT_FORK, unix.PTRACE_EVENT_VFORK, unix.PTRACE_EVENT_CLONE:
		return cloneStop
	case ptraceEventExec:
		return execStop
	case ptraceEventExit:
		return exitStop
	case ptraceEventSeccomp:
		return seccompStop
	case ptraceEventStop:
		switch unix.Signal(sig) {
		case unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU:
			return groupStop
		}
		return trapStop
	default:
		return otherStop
	}
	if sig == int(unix.SIGTRAP)|syscallStopBit {
		return syscallStop
	}
	return signalStop
}
