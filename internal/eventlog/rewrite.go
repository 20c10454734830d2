package eventlog

import (
	"errors"
	"io"
)

// Rewrite copies the log of r, of which nothing has been read, to w with other symbol lines: those for which drop returns true are left out, and
// those of add are inserted before the end line. All else is copied byte by byte, unknown fields included. A cut log
// is copied up to its last whole line, followed by add, and the error then wraps ErrCut. It does not close w.
func Rewrite(r *Reader, w *Writer, drop func(*Symbol) bool, add []*Symbol) (err error) {
	if r.err != nil {
		return r.named(r.err) // cut within its first line: nothing to copy
	}
	put := func() error {
		for _, s := range add {
			if err := w.Put(s); err != nil {
				return err
			}
		}
		return nil
	}
	ended := false
	for line := r.raw; ; {
		whole := true
		switch {
		case !otherType(line, "symbol"):
			rec, err := r.dec.decode(line)
			if s, ok := rec.(*Symbol); err == nil && ok {
				whole = !drop(s)
			}
		case !otherType(line, "end"):
			ended = true
			if err := put(); err != nil {
				return err
			}
		}
		if whole {
			if err := w.putRaw(line); err != nil {
				return err
			}
		}
		line, err = r.readLine(longestLine)
		if err == nil {
			continue
		}
		if ended && errors.Is(err, io.EOF) {
			return nil
		}
		if e := put(); e != nil {
			return e
		}
		if errors.Is(err, io.EOF) {
			err = ErrCut
		}
		return r.named(err)
	}
}

// putRaw adds a line that is already encoded.
func (w *Writer) putRaw(line []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.closed {
		w.err = errors.New("write to a log that is closed")
	}
	if w.err != nil {
		return w.err
	}
	w.buf = append(append(w.buf, line...), '\n')
	chunk := plainChunk
	if w.enc != nil {
		chunk = packedChunk
	}
	if len(w.buf) >= chunk {
		return w.flush()
	}
	return nil
}
