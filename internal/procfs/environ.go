package procfs

import (
	"io"
	"os"
	"strings"
)

// environLimit bounds an environment that is read, in bytes.
const environLimit = 1 << 20

// BeganWith is Environ of a program that runs; ok is false where it cannot be read, is larger than 1 MiB, or the process has just
// ended.
func BeganWith(tid int) (env []string, ok bool) {
	f, err := os.Open(path(tid, "environ"))
	if err != nil {
		return nil, false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, environLimit+1))
	if err != nil || len(b) > environLimit || len(b) == 0 && len(Cmdline(tid)) == 0 {
		return nil, false
	}
	if len(b) == 0 {
		return []string{}, true
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00"), true
}

// Environ reads /proc/TID/environ, the environment that the program began with, as K=V strings.
func Environ(tid int) []string { return list(tid, "environ") }
