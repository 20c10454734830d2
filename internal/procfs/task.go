package procfs

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// Tasks lists the threads of a process by /proc/PID/task, ascending; empty where there is no such process.
func Tasks(pid int) []int { return numbers(path(pid, "task")) }

// numbers lists the entries of a directory that are numbers.
func numbers(dir string) (list []int) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			list = append(list, n)
		}
	}
	slices.Sort(list)
	return list
}

// Comm reads the name of a thread from /proc/TID/comm, "" where there is none.
func Comm(tid int) string { return strings.TrimSuffix(text(tid, "comm"), "\n") }

// OwnTID reads what a thread is called in its own pid namespace: the last number of NSpid in /proc/TID/status, 0 where it
// cannot be read.
func OwnTID(tid int) int {
	for line := range strings.Lines(text(tid, "status")) {
		if list, ok := strings.CutPrefix(line, "NSpid:"); ok {
			f := strings.Fields(list)
			if len(f) == 0 {
				return 0
			}
			own, _ := strconv.Atoi(f[len(f)-1])
			return own
		}
	}
	return 0
}

// ProcessOf reads the pid of the process that a thread belongs to (Tgid in /proc/TID/status), 0 if it cannot be read.
func ProcessOf(tid int) int {
	for line := range strings.Lines(text(tid, "status")) {
		if rest, ok := strings.CutPrefix(line, "Tgid:"); ok {
			pid, _ := strconv.Atoi(strings.TrimSpace(rest))
			return pid
		}
	}
	return 0
}

// StackPointer reads the stack pointer of a thread that sleeps from /proc/TID/syscall, 0 where it runs or where that
// may not be read. Nothing is stopped for it.
func StackPointer(tid int) uint64 {
	f := strings.Fields(text(tid, "syscall"))
	if len(f) < 3 {
		return 0
	}
	sp, err := strconv.ParseUint(strings.TrimPrefix(f[len(f)-2], "0x"), 16, 64)
	if err != nil {
		return 0
	}
	return sp
}

// Processes lists the processes that /proc shows, ascending.
func Processes() []int { return numbers("/proc") }

// Syscall reads from /proc/TID/syscall which system call a thread that sleeps is in, -1 for none; false where that may not be read.
func Syscall(tid int) (nr int, ok bool) {
	first, _, _ := strings.Cut(text(tid, "syscall"), " ")
	nr, err := strconv.Atoi(strings.TrimSpace(first))
	return nr, err == nil
}

// Exiting reports whether a thread is past its exit stop, or there is none: PF_EXITING of include/linux/sched.h in field 9 of
// /proc/TID/stat, which a zombie has, too.
func Exiting(tid int) bool {
	const flagsField, exiting = 9 - 3, 0x4
	s := text(tid, "stat")
	fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	if len(fields) <= flagsField {
		return true
	}
	flags, err := strconv.ParseUint(fields[flagsField], 10, 64)
	return err != nil || flags&exiting != 0
}

// KillPending reports whether SIGKILL waits for a thread alone, as it does when its process ends (SigPnd of /proc/TID/status).
func KillPending(tid int) bool {
	for line := range strings.Lines(text(tid, "status")) {
		if rest, ok := strings.CutPrefix(line, "SigPnd:"); ok {
			pending, err := strconv.ParseUint(strings.TrimSpace(rest), 16, 64)
			return err == nil && pending&(1<<8) != 0
		}
	}
	return false
}
