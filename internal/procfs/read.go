package procfs

import (
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/kernelfile"
)

// path is the name of a task's file.
func path(tid int, file string) string { return "/proc/" + strconv.Itoa(tid) + "/" + file }

// text reads a task's file, "" where that fails.
func text(tid int, file string) string {
	b, _ := kernelfile.Read(path(tid, file))
	return string(b)
}

// list reads a task's file of strings that each end with a NUL.
func list(tid int, file string) []string {
	s := strings.TrimSuffix(text(tid, file), "\x00")
	if s == "" {
		return []string{}
	}
	return strings.Split(s, "\x00")
}
