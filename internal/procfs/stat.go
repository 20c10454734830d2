package procfs

import (
	"strconv"
	"strings"
)

// StartBreak reads start_brk, field 47 of /proc/TID/stat, which the program break equals at the first
// instruction; 0 where it may not be read.
func StartBreak(tid int) uint64 {
	s := text(tid, "stat")
	fields := strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
	const startBrkField = 47 - 3
	if len(fields) <= startBrkField {
		return 0
	}
	v, _ := strconv.ParseUint(fields[startBrkField], 10, 64)
	return v
}
