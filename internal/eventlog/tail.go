package eventlog

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// A Tail opens a log that is still being written, again and again: each time at the lines that have been added. It is not safe for
// concurrent use.
type Tail struct {
	path   string
	info   os.FileInfo // of the file that was opened last
	header []byte      // its first line
	offset int64       // in it: behind the last line that a Reader was given; 0 where the next one begins at the beginning
}

// NewTail returns a Tail of the log at path.
func NewTail(path string) *Tail { return &Tail{path: path} }

// Open returns a Reader of the header and of the whole lines that were added since the last Open. It begins at the beginning, and
// fresh is true, the first time, where the file is another one, shorter than before or overwritten (as Create does), and always where the log is compressed. The
// Reader ends in ErrCut unless the log's last line is among its own. Errors are those of os.Open and of NewReader.
func (t *Tail) Open() (r *Reader, fresh bool, err error) {
	f, err := os.Open(t.path)
	if err != nil {
		return nil, false, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	AwaitNames(f, nil)
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if t.info == nil || !os.SameFile(t.info, info) || info.Size() < t.offset || !t.begins(f) {
		t.offset = 0
	}
	t.info = info
	end, err := lastLine(f, t.offset, info.Size())
	if err != nil {
		return nil, false, err
	}
	var src io.Reader = io.NewSectionReader(f, t.offset, end-t.offset)
	if t.offset > 0 {
		src = io.MultiReader(bytes.NewReader(t.header), src)
	} else {
		fresh = true
		magic := make([]byte, len(zstdMagic))
		if n, _ := f.ReadAt(magic, 0); string(magic[:n]) == zstdMagic || end == 0 {
			src, end = f, 0 // as a Reader reads a log that is compressed, or has not one whole line
		}
	}
	if r, err = newReader(src, t.path); err != nil {
		return nil, false, err
	}
	if fresh {
		t.header = append(bytes.Clone(r.raw), '\n')
	}
	r.file, t.offset = f, end
	return r, fresh, nil
}

// begins reports whether f begins with the header that was read: its time of day is in no other.
func (t *Tail) begins(f io.ReaderAt) bool {
	now := make([]byte, len(t.header))
	n, _ := f.ReadAt(now, 0)
	return bytes.Equal(now[:n], t.header)
}

// Again says that the next Open is to begin at the beginning.
func (t *Tail) Again() { t.offset = 0 }

// lastLine returns the offset behind the last newline of f between two offsets, the first of them where there is none.
func lastLine(f io.ReaderAt, from, to int64) (int64, error) {
	block := make([]byte, 64<<10)
	for to > from {
		n := min(int64(len(block)), to-from)
		if _, err := f.ReadAt(block[:n], to-n); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(block[:n], '\n'); i >= 0 {
			return to - n + int64(i) + 1, nil
		}
		to -= n
	}
	return from, nil
}
