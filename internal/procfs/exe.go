package procfs

import (
	"os"
	"strings"
)

// Exe reads the link /proc/TID/exe, the path of the program, "" where it may not be read.
func Exe(tid int) string {
	s, _ := os.Readlink(path(tid, "exe"))
	return strings.TrimSuffix(s, " (deleted)")
}
