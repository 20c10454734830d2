package procfs

import (
	"strconv"
	"strings"
)

// EffectiveUser reads the effective user of a thread from /proc/TID/status, -1 where that cannot be told.
func EffectiveUser(tid int) int {
	for line := range strings.Lines(text(tid, "status")) {
		if rest, ok := strings.CutPrefix(line, "Uid:"); ok {
			if ids := strings.Fields(rest); len(ids) > 1 {
				if uid, err := strconv.Atoi(ids[1]); err == nil {
					return uid
				}
			}
		}
	}
	return -1
}

// Locked reads how many bytes of a process are locked in memory from /proc/TID/status, -1 where that cannot be told.
func Locked(tid int) int64 { return statusBytes(tid, "VmLck:") }

// PeakResident reads how many bytes of a process were in memory at most, from /proc/TID/status, -1 where that cannot be told.
func PeakResident(tid int) int64 { return statusBytes(tid, "VmHWM:") }

// Memory is what of a process is in memory, in bytes, by the kernel's counters (/proc/PID/status): -1 for what cannot be told.
type Memory struct {
	Anonymous, File, Shmem int64
	Tables                 int64 // the page tables of its pages (VmPTE): eight bytes for each small one
}

// MemoryOf reads the counters of a process; nothing is walked for it.
func MemoryOf(tid int) Memory {
	return Memory{statusBytes(tid, "RssAnon:"), statusBytes(tid, "RssFile:"), statusBytes(tid, "RssShmem:"), statusBytes(tid, "VmPTE:")}
}

func statusBytes(tid int, name string) int64 {
	for line := range strings.Lines(text(tid, "status")) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
				return kib << 10
			}
		}
	}
	return -1
}
