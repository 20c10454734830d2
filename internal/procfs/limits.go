package procfs

import "strings"

// SoftLimits reads the soft resource limits of /proc/TID/limits by their titles there ("Max stack size"); it
// is empty where that cannot be read.
func SoftLimits(tid int) map[string]string {
	const titleWidth = 26 // fs/proc/base.c, proc_pid_limits
	limits := make(map[string]string)
	for line := range strings.Lines(text(tid, "limits")) {
		if len(line) <= titleWidth {
			continue
		}
		if soft := strings.Fields(line[titleWidth:]); len(soft) > 0 {
			limits[strings.TrimSpace(line[:titleWidth])] = soft[0]
		}
	}
	return limits
}
