package eventlog

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// Create opens the log at path for writing; a name ending in ".zst" is compressed. A regular file that is
// not empty is overwritten only if it is a log of vmblame (of any version, cut or whole); an empty file,
// a pipe or a device is written to. Close closes the file.
func Create(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := clear(f, path); err != nil {
		f.Close()
		return nil, err
	}
	w := NewWriter(f, strings.HasSuffix(path, ".zst"))
	w.closer = f
	return w, nil
}

// clear empties f if it may be overwritten.
func clear(f *os.File, path string) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() == 0 {
		return nil
	}
	ours, err := isLog(path)
	if err != nil {
		return err
	}
	if !ours {
		return fmt.Errorf("%s: exists and is %w: name another file or remove it", path, ErrNotLog)
	}
	return f.Truncate(0)
}

// isLog tells whether a file begins as a log does, be the log of another version or cut in its first line.
func isLog(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var src io.Reader = bufio.NewReaderSize(f, 4096)
	if magic, _ := src.(*bufio.Reader).Peek(len(zstdMagic)); string(magic) == zstdMagic {
		z, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
		if err != nil {
			return false, err
		}
		defer z.Close()
		src = z
	}
	start := make([]byte, len(headerStart))
	n, err := io.ReadFull(src, start)
	if _, bad := err.(*os.PathError); bad {
		return false, err
	}
	return bytes.Equal(start[:n], []byte(headerStart)), nil
}
