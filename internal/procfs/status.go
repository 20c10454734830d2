package procfs

import (
	"strconv"
	"strings"
)

// EffectiveUser reads the effective user id of a thread from /proc/TID/status, -1 if it cannot be read.
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

// Memory is how much of a process is in memory, in bytes, by the kernel's counters (/proc/PID/status). A value that is unknown is -1.
type Memory struct {
	Anonymous, File, Shmem int64
	Tables                 int64 // the page tables of its pages (VmPTE): eight bytes for each small one
	Locked                 int64 // cannot be moved out (VmLck)
	Peak                   int64 // the most that was in memory at once (VmHWM)
}

// MemoryOf reads the counters of a process; nothing is walked for it.
func MemoryOf(tid int) Memory {
	m := Memory{-1, -1, -1, -1, -1, -1}
	fields := map[string]*int64{"RssAnon": &m.Anonymous, "RssFile": &m.File, "RssShmem": &m.Shmem, "VmPTE": &m.Tables, "VmLck": &m.Locked, "VmHWM": &m.Peak}
	for line := range strings.Lines(text(tid, "status")) {
		name, rest, _ := strings.Cut(line, ":")
		if field := fields[name]; field != nil {
			if kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64); err == nil {
				*field = kib << 10
			}
		}
	}
	return m
}
