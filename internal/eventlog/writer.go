package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/klauspost/compress/zstd"
)

const (
	plainChunk  = 64 << 10 // bytes of lines per write
	packedChunk = 1 << 20  // bytes of lines per compressed frame
	idleBuffer  = 4 << 20  // a buffer that grew beyond this is freed
	// endRoom is reserved for the end line of a log that meets a full disk.
	endRoom = 4096
	endLine = 512 // more than an end line is long
)

// Writer is the Sink that writes the log: whole lines only, buffered. Whoever owns it calls Flush at least once a
// second, so that a log that is cut short loses no more than that. All methods may be called concurrently.
//
// When the destination takes no more (a full disk, a closed pipe) the log is cut back to its last whole line; the
// error is returned by the call that met it and by every later Put and Flush; and Close tries to write an end line
// with the cause "failed" into the space reserved for it.
type Writer struct {
	mu     sync.Mutex
	dst    io.Writer
	file   *os.File  // dst, where it is a regular file
	closer io.Closer // nil unless Create opened the file
	enc    *zstd.Encoder

	buf     []byte // whole lines that are not written yet
	packed  []byte
	begin   int64 // in file: where the log begins
	offset  int64 // in file: the end of what has been written whole
	ahead   bool  // file can reserve space
	created bool  // CreateNew made file
	earlier bool  // file still holds another log: nothing is written before the first space
	deleted bool  // file has no name any more
	told    bool  // deleted has been reported
	whole   bool  // the output ends with a whole line although lines were lost

	written End // counts of all lines that were put, T of the last
	end     *End
	err     error
	closed  bool
}

// NewWriter returns a Writer to dst, compressed with zstd where asked: each Flush ends a frame. Where dst
// is a regular file it is written from the file's present position. Close does not close dst.
func NewWriter(dst io.Writer, compressed bool) *Writer {
	w := &Writer{dst: dst}
	if compressed {
		// The options are constants that NewWriter accepts.
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(packedChunk))
		w.enc, w.err = enc, err
	}
	if f, ok := dst.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			if at, err := f.Seek(0, io.SeekCurrent); err == nil {
				w.file, w.begin, w.offset, w.ahead = f, at, at, true
			}
		}
	}
	return w
}

// Put adds the line of r to the buffer and writes the buffer when it is full; the header is written at once, so that
// the file is recognisable as a log from the beginning.
func (w *Writer) Put(r Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e, ok := r.(*End); ok {
		c := *e
		if w.deleted {
			c.Cause = "failed"
		}
		w.end, r = &c, &c
	}
	if w.err == nil && w.closed {
		w.err = errors.New("write to a log that is closed")
	}
	if w.err != nil {
		if r.Type() == "event" {
			w.written.Lost++
		}
		return w.err
	}
	before := len(w.buf)
	w.buf = AppendRecord(w.buf, r)
	if len(w.buf)-before > longestLine {
		n := len(w.buf) - before
		w.buf = w.buf[:before]
		if err := w.flush(); err != nil {
			return err
		}
		return w.fail(nil, fmt.Errorf("a line of %d MiB: %w", n>>20, errLong))
	}
	w.tally(r)
	if _, began := r.(*Space); began && w.earlier {
		return w.overwrite()
	}
	chunk := plainChunk
	if w.enc != nil {
		chunk = packedChunk
	}
	if _, first := r.(*Header); first || len(w.buf) >= chunk {
		return w.flush()
	}
	return nil
}

// PutLines adds whole lines that AppendRecord made, but for the end line, and writes the buffer when it is full,
// a header at once. It keeps no part of lines.
func (w *Writer) PutLines(lines []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	begins := false
	for line := range bytes.Lines(lines) {
		switch {
		case w.err != nil:
			if !otherType(line, "event") {
				w.written.Lost++
			}
			continue
		case len(line) > longestLine:
			if w.flush() == nil {
				_ = w.fail(nil, fmt.Errorf("a line of %d MiB: %w", len(line)>>20, errLong))
			}
			continue
		}
		w.buf = append(w.buf, line...)
		w.count(line, 1)
		begins = begins || !otherType(line, "space")
		if !otherType(line, "header") {
			_ = w.flush()
		}
	}
	chunk := plainChunk
	if w.enc != nil {
		chunk = packedChunk
	}
	switch {
	case w.err != nil:
		return w.err
	case begins && w.earlier:
		return w.overwrite()
	case len(w.buf) >= chunk:
		return w.flush()
	}
	return nil
}

// Size is how many bytes of the log the regular file holds, 0 where there is none.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.offset - w.begin
}

// Lose records that so many events were lost, and why: the log will end as failed.
func (w *Writer) Lose(events uint64, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		_ = w.flush()
	}
	w.written.Lost += events
	if w.err == nil {
		w.err, w.whole = why, true
	}
}

// tally counts for the end line of a log that fails.
func (w *Writer) tally(r Record) {
	n := &w.written
	switch r := r.(type) {
	case *Event:
		n.Events++
		n.T = max(n.T, r.T)
	case *Stack:
		n.Stacks++
	case *Drift:
		n.Drifts++
		n.T = max(n.T, r.T)
	case *Snapshot:
		n.T = max(n.T, r.T)
	case *Advice:
		n.T = max(n.T, r.T)
	case *Content:
		n.T = max(n.T, r.T)
	case *Thread:
		n.T = max(n.T, r.T)
	case *Note:
		n.T = max(n.T, r.T)
	}
}

// forget subtracts what tally counted for lines that did not reach the log.
func (w *Writer) forget(lines []byte) {
	n := &w.written
	events := n.Events
	for line := range bytes.Lines(lines) {
		w.count(line, -1)
	}
	n.Lost += events - n.Events
}

// Flush writes what is buffered. With an empty buffer it costs next to nothing.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if err := w.flush(); err != nil || !w.deleted || w.told {
		return err
	}
	w.told = true
	return fmt.Errorf("%s: %w", w.file.Name(), ErrDeleted)
}

func (w *Writer) flush() error {
	if err := w.intact(); err != nil {
		return err
	}
	if len(w.buf) == 0 || w.earlier {
		return nil
	}
	out := w.pack(w.buf)
	if err := w.setAside(len(out)); err != nil {
		return w.fail(out[:0], err)
	}
	n, err := w.dst.Write(out)
	if err != nil {
		return w.fail(out[:n], err)
	}
	w.offset += int64(n)
	w.buf = w.buf[:0]
	if cap(w.buf) > idleBuffer {
		w.buf, w.packed = nil, nil
	}
	return nil
}

// pack makes a frame of lines where the log is compressed.
func (w *Writer) pack(lines []byte) []byte {
	if w.enc == nil {
		return lines
	}
	w.packed = w.enc.EncodeAll(lines, w.packed[:0])
	return w.packed
}

// keepSize is FALLOC_FL_KEEP_SIZE of linux/falloc.h.
const keepSize = 1

// setAside makes sure that a regular file can take n bytes plus endRoom: it checks this process's file size limit,
// and has the file system reserve the space without making the file longer. A file system that cannot is asked only
// once.
func (w *Writer) setAside(n int) error {
	if w.file == nil {
		return nil
	}
	size := int64(n) + endRoom
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit) == nil && uint64(w.offset+size) > limit.Cur {
		return &os.PathError{Op: "write", Path: w.file.Name(), Err: syscall.EFBIG}
	}
	if !w.ahead {
		return nil
	}
	for {
		err := syscall.Fallocate(int(w.file.Fd()), keepSize, w.offset, size)
		switch err {
		case nil:
			return nil
		case syscall.EINTR:
			continue
		case syscall.ENOSPC, syscall.EDQUOT:
			return &os.PathError{Op: "write", Path: w.file.Name(), Err: err}
		}
		w.ahead = false
		return nil
	}
}

// fail keeps err and cuts the log back to whole lines; part is the written part of the chunk.
func (w *Writer) fail(part []byte, err error) error {
	w.err = err
	kept := 0
	if w.enc == nil {
		if w.file != nil {
			// The chunk met a limit beyond which no space was reserved: leave some for the end line.
			part = part[:max(0, len(part)-endLine)]
		}
		kept = bytes.LastIndexByte(part, '\n') + 1
	}
	w.forget(w.buf[kept:])
	w.buf = nil
	if w.file != nil {
		w.offset += int64(kept)
		if e := w.cutBack(); e != nil {
			w.err = fmt.Errorf("%w (and the log could not be cut back to its last whole line: %w)", err, e)
			w.file = nil
		}
	}
	return w.err
}

// cutBack truncates the file after its last whole line, where the next write continues.
func (w *Writer) cutBack() error {
	if err := w.file.Truncate(w.offset); err != nil {
		return err
	}
	_, err := w.file.Seek(w.offset, io.SeekStart)
	return err
}

// Close writes what is buffered and, where that or an earlier write failed, tries to end the log with
// cause "failed". It returns an error that no Put or Flush has returned yet.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	told := w.err != nil
	if w.err == nil && w.earlier {
		_ = w.overwrite()
	} else if w.err == nil {
		_ = w.flush()
	}
	if w.err != nil && (w.file != nil && w.offset > w.begin || w.file == nil && w.whole) {
		w.endFailed()
	}
	if w.file != nil {
		_ = w.file.Truncate(w.offset) // frees what setAside reserved; the log is complete without it
	}
	if w.enc != nil {
		_ = w.enc.Close()
	}
	if w.closer != nil {
		if err := w.closer.Close(); w.err == nil {
			w.err = err
		}
	}
	if told {
		return nil
	}
	return w.err
}

// endFailed writes the end line of a log that has lost its later lines.
func (w *Writer) endFailed() {
	e := w.written
	e.Cause = "failed"
	if w.end != nil {
		e.T, e.Exit, e.Checks = max(e.T, w.end.T), w.end.Exit, w.end.Checks
	}
	out := w.pack(AppendRecord(nil, &e))
	if n, err := w.dst.Write(out); err == nil {
		w.offset += int64(n)
	}
}
