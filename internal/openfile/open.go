// Package openfile opens files whose names come from a traced program, a log or another file: it opens regular files
// and nothing else. A FIFO would be waited for; to open a device can do something (rewind a tape, start a watchdog).
// It says nothing about what stands in a file.
package openfile

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNotRegular is what the functions return, wrapped, for what is no regular file; ErrTooLarge for one that no reader
// of ours should begin with.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrTooLarge   = errors.New("the file is too large")
)

// maxSize bounds a file, in bytes: the largest debug files are of some gigabytes, a sparse file can be of exabytes.
const maxSize = 64 << 30

// Regular opens the regular file at path for reading.
func Regular(path string) (*os.File, error) {
	fd, err := open(unix.AT_FDCWD, path, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC})
	return reopen(fd, path, err)
}

// Under opens the regular file that path names for a process whose root is root ("/proc/PID/root"): symbolic links, too,
// are followed below it (openat2(2), RESOLVE_IN_ROOT, Linux 5.6). Where the kernel cannot do that it opens root+path.
func Under(root, path string) (*os.File, error) { return under(root, path, 0) }

// UnderNoLink is Under for a name that must not itself be a symbolic link.
func UnderNoLink(root, path string) (*os.File, error) { return under(root, path, unix.O_NOFOLLOW) }

func under(root, path string, flags uint64) (*os.File, error) {
	name := strings.TrimSuffix(root, "/") + "/" + strings.TrimPrefix(path, "/")
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | flags}
	dir, err := open(unix.AT_FDCWD, root, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC | unix.O_DIRECTORY})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(dir)
	below := how
	below.Resolve = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS
	fd, err := openat2(dir, path, &below)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) { // or a seccomp filter that does not know it
		fd, err = open(unix.AT_FDCWD, name, &how)
	}
	return reopen(fd, name, err)
}

// reopen opens for reading what fd, which it closes, only points to.
func reopen(fd int, name string, err error) (*os.File, error) {
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		err = ErrNotRegular
	case st.Size > maxSize:
		err = ErrTooLarge
	default:
		var again int
		again, err = open(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", fd),
			&unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC})
		// O_NONBLOCK kept a lease that somebody holds (fcntl(2)) from being waited for; the file is read as any other.
		if err == nil {
			_ = unix.SetNonblock(again, false)
			return os.NewFile(uintptr(again), name), nil
		}
	}
	return nil, &os.PathError{Op: "open", Path: name, Err: err}
}

func open(dir int, path string, how *unix.OpenHow) (fd int, err error) {
	for {
		if fd, err = unix.Openat(dir, path, int(how.Flags), 0); err != unix.EINTR {
			return fd, err
		}
	}
}

func openat2(dir int, path string, how *unix.OpenHow) (fd int, err error) {
	for {
		// EAGAIN: something on the way was renamed meanwhile.
		if fd, err = unix.Openat2(dir, path, how); err != unix.EINTR && err != unix.EAGAIN {
			return fd, err
		}
	}
}
