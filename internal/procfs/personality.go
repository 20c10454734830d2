package procfs

import (
	"strconv"
	"strings"
)

// Personality reads /proc/TID/personality, the persona of personality(2), which belongs to a thread, not a process; 0
// where it may not be read.
func Personality(tid int) uint64 {
	v, _ := strconv.ParseUint(strings.TrimSpace(text(tid, "personality")), 16, 64)
	return v
}
