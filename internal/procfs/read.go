package procfs

import (
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// path is the name of a task's file.
func path(tid int, file string) string { return "/proc/" + strconv.Itoa(tid) + "/" + file }

// text reads a task's file, "" where that fails.
func text(tid int, file string) string {
	b, _ := contents(path(tid, file))
	return string(b)
}

// contents reads a file of the kernel's whole. Package os would have the poller of Go's runtime watch it first, which
// takes longer than to read a small one.
func contents(name string) ([]byte, error) {
	fd, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	for errors.Is(err, syscall.EINTR) {
		fd, err = syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer func() { _ = syscall.Close(fd) }()
	b := make([]byte, 0, 1024)
	for {
		n, err := syscall.Read(fd, b[len(b):cap(b)])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return b, &fs.PathError{Op: "read", Path: name, Err: err}
		case n == 0:
			return b, nil
		}
		if b = b[:len(b)+n]; len(b) == cap(b) {
			b = slices.Grow(b, len(b))
		}
	}
}

// list reads a task's file of strings that each end with a NUL.
func list(tid int, file string) []string {
	s := strings.TrimSuffix(text(tid, file), "\x00")
	if s == "" {
		return []string{}
	}
	return strings.Split(s, "\x00")
}
