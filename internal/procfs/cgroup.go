package procfs

import "strings"

// Cgroup reads a task's cgroup (version 2) from /proc/TID/cgroup, as a path below /sys/fs/cgroup; "" for none.
func Cgroup(tid int) string {
	for line := range strings.Lines(text(tid, "cgroup")) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return rest
		}
	}
	return ""
}
