// Package kernelfile reads small files of the kernel's, those of /proc and its like. Package os would have the poller of Go's
// runtime watch each first, which takes longer than to read it. It knows nothing of what stands in them.
package kernelfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// Read reads a file whole. An error is a *fs.PathError; what was read before it is returned.
func Read(name string) ([]byte, error) {
	fd, err := open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = syscall.Close(fd) }()
	const most = 4096 // of nearly all, so that one read suffices
	b := make([]byte, 0, most)
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

// Lines reads a file piece by piece and gives take the whole lines of each, in memory that the next piece has. Its error is that of
// take, or a *fs.PathError.
func Lines(name string, take func(lines []byte) error) error {
	fd, err := open(name)
	if err != nil {
		return err
	}
	defer func() { _ = syscall.Close(fd) }()
	// The kernel gives a page of such text at a time, or one line that is longer.
	b, n := make([]byte, 16<<10), 0
	for {
		got, err := syscall.Read(fd, b[n:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return &fs.PathError{Op: "read", Path: name, Err: err}
		case got == 0 && n > 0:
			return take(b[:n])
		case got == 0:
			return nil
		}
		end := n + bytes.LastIndexByte(b[n:n+got], '\n') + 1
		n += got
		if end > n-got {
			if err := take(b[:end]); err != nil {
				return err
			}
			n = copy(b, b[end:n])
		}
		if n == len(b) {
			b = append(b, make([]byte, len(b))...)
		}
	}
}

// Open opens a file for reading that is read again and again. An error is a *fs.PathError.
func Open(name string) (*os.File, error) {
	fd, err := open(name)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func open(name string) (fd int, err error) {
	for {
		fd, err = syscall.Open(name, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err == nil {
			return fd, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return -1, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}
