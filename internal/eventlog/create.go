package eventlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/klauspost/compress/zstd"
)

// ErrBusy is the error for a log that another vmblame is writing.
var ErrBusy = errors.New("another vmblame is writing it")

const (
	logMode  = 0o600 // a log contains memory layouts, paths and arguments
	openLog  = os.O_RDWR | syscall.O_CLOEXEC | syscall.O_NOCTTY
	createIt = os.O_CREATE | os.O_EXCL | syscall.O_NOFOLLOW
)

// CreateNew makes the log at path, which must not exist, not even as a link: the error is then os.ErrExist.
// See Create for the rest.
func CreateNew(path string) (*Writer, error) {
	f, err := os.OpenFile(path, openLog|createIt, logMode)
	if err != nil {
		return nil, err
	}
	w, err := writerOf(f, path)
	if err != nil {
		return nil, err
	}
	w.created = true
	return w, nil
}

// Create opens the log at path for writing; a name ending in ".zst" is compressed. A new file is readable by the user
// alone (mode 0600). An empty file, a pipe or a device is written to. A regular file that is not empty is overwritten
// only if it is a log of vmblame (of any version, cut or whole) and the user's own, and only once the new log has its
// first address space: until then it stays untouched. A log that another vmblame is writing is refused with ErrBusy.
// Close closes the file.
func Create(path string) (*Writer, error) {
	st, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		w, err := CreateNew(path)
		if errors.Is(err, os.ErrExist) {
			err = fmt.Errorf("%s: a link to a file that does not exist: name that file", path)
		}
		return w, err
	}
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		f, err := os.OpenFile(path, openLog&^os.O_RDWR|os.O_WRONLY, 0)
		if err != nil {
			return nil, err
		}
		w := NewWriter(f, packedName(path))
		w.closer = f
		return w, nil
	}
	f, err := os.OpenFile(path, openLog, 0)
	if err != nil {
		return nil, err
	}
	if now, err := f.Stat(); err != nil || !os.SameFile(st, now) {
		f.Close()
		return nil, fmt.Errorf("%s: it was replaced while it was opened", path)
	}
	if st.Size() > 0 {
		if err := overwritable(f, st); err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	w, err := writerOf(f, path)
	if err != nil {
		return nil, err
	}
	w.earlier = st.Size() > 0
	return w, nil
}

// packedName reports whether the name of a log asks for compression with zstd.
func packedName(path string) bool { return strings.HasSuffix(path, ".zst") }

// writerOf locks a regular file against other writers and returns its Writer; on errors f is closed.
func writerOf(f *os.File, path string) (*Writer, error) {
	if err := lockLog(f, path); err != nil {
		f.Close()
		return nil, err
	}
	w := NewWriter(f, packedName(path))
	w.closer = f
	return w, nil
}

// overwritable returns why a file may not be overwritten, nil where it may.
func overwritable(f *os.File, st os.FileInfo) error {
	ours, err := isLog(f)
	switch {
	case err != nil:
		return err
	case !ours:
		return fmt.Errorf("exists and is %w: name another file or remove it", ErrNotLog)
	}
	if s, ok := st.Sys().(*syscall.Stat_t); ok && int(s.Uid) != os.Geteuid() && os.Geteuid() != 0 {
		return errors.New("a log of another user: name another file")
	}
	return nil
}

// isLog reports whether a file begins like a log, of any version and even if cut in its first line.
func isLog(f *os.File) (bool, error) {
	var src io.Reader = bufio.NewReaderSize(io.NewSectionReader(f, 0, 1<<62), 4096)
	if magic, _ := src.(*bufio.Reader).Peek(len(zstdMagic)); string(magic) == zstdMagic {
		z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(largestWindow))
		if err != nil {
			return false, err
		}
		defer z.Close()
		src = z
	}
	start := make([]byte, len(headerStart))
	n, err := io.ReadFull(src, start)
	if bad := (*os.PathError)(nil); errors.As(err, &bad) {
		return false, err
	}
	return bytes.Equal(start[:n], []byte(headerStart)), nil
}
