package record

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"github.com/vmblame/vmblame/internal/procfs"
)

// ownProc returns what is wrong with /proc, nil if it is mounted and shows processes by the pids that vmblame sees:
// without that nothing of a tracee can be read.
func ownProc() error {
	self, err := os.Readlink("/proc/self")
	switch {
	case err != nil:
		return errors.New("/proc is not mounted: mount -t proc proc /proc")
	case self != strconv.Itoa(os.Getpid()):
		return errors.New("/proc is that of another pid namespace: mount vmblame's own (mount -t proc proc /proc, or unshare --mount-proc)")
	}
	return nil
}

// descriptors counts the open maps of spaces and keeps part of RLIMIT_NOFILE free of them: if there are too many,
// they are closed between uses.
type descriptors struct {
	open, most int
}

// newDescriptors leaves three quarters of the descriptors for other uses. Go's runtime has raised the soft limit to
// the hard one.
func newDescriptors() descriptors {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return descriptors{most: 64}
	}
	return descriptors{most: int(min(limit.Cur/4, 1<<20))}
}

// opened counts the maps of a space. They must be able to find the space's threads.
func (d *descriptors) opened(m *procfs.Maps) {
	d.open++
	if d.open > d.most {
		m.Loosen()
	}
}

// closed ends the use of a space's maps.
func (d *descriptors) closed(m *procfs.Maps) {
	d.open--
	m.Close()
}
