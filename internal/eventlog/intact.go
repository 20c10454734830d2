package eventlog

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// ErrDeleted says that the log was deleted while it was written. The Writer goes on: the file can be copied through
// /proc/PID/fd as long as the process runs.
var ErrDeleted = errors.New("it was deleted")

// ErrTruncated says that the log was made shorter, or longer, by somebody else while it was written.
var ErrTruncated = errors.New("it was truncated or written to by somebody else")

// overwrite truncates the earlier log in the file.
func (w *Writer) overwrite() error {
	w.earlier = false
	if err := w.file.Truncate(w.begin); err != nil {
		w.err = err
		return err
	}
	return w.flush()
}

// intact checks whether the file still is as it was written. A truncated log ends there, cut back to whole lines. A
// deleted one is only noted.
func (w *Writer) intact() error {
	if w.file == nil || w.earlier {
		return nil
	}
	st, err := w.file.Stat()
	if err != nil {
		return nil // the file system is gone: the next write fails
	}
	if s, ok := st.Sys().(*syscall.Stat_t); ok && s.Nlink == 0 {
		w.deleted = true
	}
	if st.Size() == w.offset {
		return nil
	}
	events := w.written.Events + w.written.Lost
	w.offset = w.wholeLines(min(st.Size(), w.offset))
	w.buf = nil
	w.recount()
	w.written.Lost = events - w.written.Events
	w.err = fmt.Errorf("%s: %w", w.file.Name(), ErrTruncated)
	if err := w.cutBack(); err != nil {
		w.file = nil
	}
	return w.err
}

// Fd is the number of the regular file that is written, -1 where there is none.
func (w *Writer) Fd() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return -1
	}
	return int(w.file.Fd())
}

// wholeLines is the end of the last line that ends within the file's first n bytes; for a compressed log, whose
// frames are not searched, no line is known to be whole.
func (w *Writer) wholeLines(n int64) int64 {
	if w.enc != nil {
		w.file = nil // what is left is a cut log: write nothing more to it
		return n
	}
	var chunk [4096]byte
	for n > w.begin {
		at := max(w.begin, n-int64(len(chunk)))
		got, err := w.file.ReadAt(chunk[:n-at], at)
		if err != nil && got < int(n-at) {
			return w.begin
		}
		if i := bytes.LastIndexByte(chunk[:got], '\n'); i >= 0 {
			return at + int64(i) + 1
		}
		n = at
	}
	return w.begin
}

// recount counts the lines that are left in the file.
func (w *Writer) recount() {
	if w.file == nil {
		return
	}
	w.written.Events, w.written.Stacks, w.written.Drifts = 0, 0, 0
	src := bufio.NewReaderSize(io.NewSectionReader(w.file, w.begin, w.offset-w.begin), plainChunk)
	for begins := true; ; {
		part, err := src.ReadSlice('\n')
		if begins && len(part) > 0 {
			w.count(part, 1)
		}
		if begins = err == nil; !begins && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// count adds n to the count of the line's type.
func (w *Writer) count(line []byte, n int) {
	switch {
	case !otherType(line, "event"):
		w.written.Events += uint64(n)
	case !otherType(line, "stack"):
		w.written.Stacks += uint64(n)
	case !otherType(line, "drift"):
		w.written.Drifts += uint64(n)
	}
}

// Discard closes a log that is not worth keeping: an earlier log in its place is left untouched, a file that Create
// made is removed.
func (w *Writer) Discard() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	if w.enc != nil {
		_ = w.enc.Close()
	}
	switch {
	case w.file == nil, w.earlier:
	case w.created:
		path := w.file.Name()
		a, errA := os.Lstat(path)
		b, errB := w.file.Stat()
		if errA == nil && errB == nil && os.SameFile(a, b) {
			os.Remove(path)
		}
	default:
		_ = w.file.Truncate(w.begin)
	}
	if w.closer != nil {
		return w.closer.Close()
	}
	return nil
}
