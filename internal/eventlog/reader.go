package eventlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// ErrNotLog says that a file does not begin like a vmblame log.
var ErrNotLog = errors.New("not a vmblame log")

// ErrCut says that a log ends without its "end" line, or in the middle of a line. Everything up to the
// last whole line has been read when Reader.Next returns it.
var ErrCut = errors.New("the log is cut")

// A VersionError says that a log was written by a later vmblame, in a format this one does not know.
type VersionError struct {
	Version int // of the log
}

// Error names both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("version %d is newer than this vmblame reads (%d): use the vmblame that wrote it, or a later one", e.Version, Version)
}

// A LineError says which line of a log is not a valid record.
type LineError struct {
	Line int // 1 is the first
	Err  error
}

// Error says "line 7: not JSON".
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns Err.
func (e *LineError) Unwrap() error { return e.Err }

const (
	readBuffer = 256 << 10
	// A line about a whole address space has about 120 bytes for each mapping, a snapshot 190: this is enough for
	// 700,000 mappings, and the default vm.max_map_count is 65,530.
	longestLine = 128 << 20
	// Other lines are short: the longest are stacks, of some 90 bytes a frame.
	longestOther = 16 << 20
	// A file that is not a log may be one long line.
	longestHeader = longestOther
)

// largestWindow bounds the memory that a compressed log makes its reader use (RFC 8878 §3.1.1.1.2). vmblame writes 1
// MiB; zstd --long writes up to 2 GiB, its default levels 8 MiB.
const largestWindow = 64 << 20

// zstdMagic begins every frame (RFC 8878 §3.1.1).
const zstdMagic = "\x28\xb5\x2f\xfd"

// Reader reads a log, plain or compressed, record by record. Its memory is bounded whatever the log: see
// docs/eventlog.md. It is not safe for concurrent use.
type Reader struct {
	header *Header
	name   string // for errors, "" where unknown
	src    *bufio.Reader
	zst    *zstd.Decoder
	file   *os.File // nil unless the Reader opened it

	ahead *ahead   // reads the lines behind the header; nil before the first is asked for
	given []Record // instead of src, those behind what was returned last; nil for a log that is read
	dec   decoder
	long  []byte // a line longer than src's buffer
	line  int    // number of the line that was read last
	raw   []byte // that line, without the newline
	first bool   // Next has not returned the header yet
	ended bool   // Next has returned the end line
	err   error  // sticks
}

// Open opens the log at path and reads its header. Names that are to come to a log that has ended it waits for, 30 s at
// most. Errors are those of os.Open and of NewReader, the latter prefixed by the path.
func Open(path string) (*Reader, error) { return open(path, true) }

// NewReader reads the header of the log that src holds. It returns an error that wraps ErrNotLog where
// src is no log, a *VersionError where the log is newer than this package, or the error of src.
func NewReader(src io.Reader) (*Reader, error) { return newReader(src, "") }

func newReader(src io.Reader, name string) (*Reader, error) {
	r := &Reader{name: name, src: bufio.NewReaderSize(src, readBuffer)}
	if magic, _ := r.src.Peek(len(zstdMagic)); string(magic) == zstdMagic {
		z, err := zstd.NewReader(r.src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(largestWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, r.named(err)
		}
		r.zst = z
		r.src = bufio.NewReaderSize(z, readBuffer)
	}
	if err := r.readHeader(); err != nil {
		r.Close()
		return nil, r.named(err)
	}
	return r, nil
}

// ReaderOf returns a Reader of a log that was never written: its records, the header first and the end last, which the
// Reader keeps. Raw has no text of them.
func ReaderOf(records []Record) *Reader {
	header, _ := records[0].(*Header)
	return &Reader{header: header, given: records[1:], line: 1, first: true}
}

// named puts the log's name before err.
func (r *Reader) named(err error) error {
	var p *os.PathError
	if r.name == "" || errors.As(err, &p) {
		return err
	}
	return fmt.Errorf("%s: %w", r.name, err)
}

// headerStart is how the header of every version begins.
const headerStart = `{"type":"header","format":"vmblame"`

func (r *Reader) readHeader() error {
	line, err := r.readLine(longestHeader)
	if errors.Is(err, ErrCut) && bytes.HasPrefix(r.raw, []byte(headerStart)) {
		// Cut within its first line: a log without any record.
		r.header, r.err = &Header{Format: "vmblame", Version: Version}, ErrCut
		return nil
	}
	if err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, ErrCut) || errors.Is(err, errLong) {
			err = ErrNotLog
		}
		return err
	}
	var h struct {
		Type    string `json:"type"`
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if json.Unmarshal(line, &h) != nil || h.Type != "header" || h.Format != "vmblame" || h.Version < 1 {
		return ErrNotLog
	}
	if h.Version > Version {
		return &VersionError{h.Version}
	}
	rec, err := r.dec.decode(line)
	if err != nil {
		return &LineError{1, err}
	}
	r.header = rec.(*Header)
	r.first = true
	return nil
}

// SkimEvents says that of the events to come only Seq and T are wanted: the rest of most of them is not read, and may be
// missing. It may be called once a record other than the header has been returned.
func (r *Reader) SkimEvents() {
	if r.ahead != nil {
		r.ahead.skim.Store(true)
	}
}

// Header returns the header. Of a log cut within its first line only Format and Version are set.
func (r *Reader) Header() *Header { return r.header }

// Line is the number of the line that Next read last; the header is line 1.
func (r *Reader) Line() int { return r.line }

// Raw is the text of the line that Next read last, without its newline, valid until the next call of Next.
func (r *Reader) Raw() []byte { return r.raw }

// Next returns the next record, the header first. At the end of a whole log it returns io.EOF, at the end of a cut
// one ErrCut, and for any other line that is not a record a *LineError; errors stick. Unknown fields and record types
// are skipped.
//
// An *Event or *Drift, and all it points to, is valid until the next call of Next; its strings and all
// other records may be kept.
func (r *Reader) Next() (Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.first {
		r.first = false
		return r.header, nil
	}
	if r.given != nil {
		return r.nextGiven()
	}
	for {
		rec, err := r.next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				err = r.named(err)
			}
			r.err = err
			return nil, err
		}
		if rec != nil {
			return rec, nil
		}
	}
}

// nextGiven is Next of a log that was never written.
func (r *Reader) nextGiven() (Record, error) {
	if len(r.given) == 0 {
		r.err = io.EOF
		return nil, io.EOF
	}
	rec := r.given[0]
	r.given = r.given[1:]
	r.line++
	return rec, nil
}

// next reads one line; the record is nil if the line is to be skipped.
func (r *Reader) next() (Record, error) {
	if r.ahead == nil {
		r.ahead = startAhead(r)
	}
	l, err := r.ahead.line()
	switch {
	case errors.Is(err, io.EOF) && !r.ended:
		return nil, ErrCut
	case errors.Is(err, errLong):
		return nil, &LineError{r.line + 1, err}
	case err != nil:
		return nil, err
	}
	r.line++
	r.raw = l.text
	if r.ended {
		return nil, &LineError{r.line, errors.New("a line behind the end of the log")}
	}
	rec := l.rec
	if l.err != nil {
		if r.ahead.last() {
			return nil, ErrCut // the last line was torn
		}
		return nil, &LineError{r.line, l.err}
	}
	switch rec.(type) {
	case *Header:
		return nil, &LineError{r.line, errors.New("a second header")}
	case *End:
		r.ended = true
	}
	return rec, nil
}

// otherType reports whether the type of a line is certainly not t, as far as the beginning of the line tells.
func otherType(line []byte, t string) bool {
	const start = `{"type":"`
	if len(line) < len(start) || string(line[:len(start)]) != start {
		return false
	}
	rest := line[len(start):]
	return len(rest) <= len(t) || string(rest[:len(t)]) != t || rest[len(t)] != '"'
}

var errLong = errors.New("longer than any line of a log (128 MiB for address spaces and calls, 16 MiB else)")

// lineLimit is how long a line that begins with start may be.
func lineLimit(start []byte) int {
	for _, t := range []string{"space", "snapshot", "event", "origin", "drift"} {
		if !otherType(start, t) && bytes.HasPrefix(start, []byte(`{"type":"`)) {
			return longestLine
		}
	}
	return longestOther
}

// readLine returns the next line without its newline, valid until the next call. At the end it returns
// io.EOF, or ErrCut where the last line has no newline (raw then holds what there is of it) or where a
// compressed log ends within a frame.
func (r *Reader) readLine(limit int) ([]byte, error) {
	r.long = r.long[:0]
	for {
		part, err := r.src.ReadSlice('\n')
		if err == nil || errors.Is(err, bufio.ErrBufferFull) || len(part) > 0 {
			if err == nil && len(r.long) == 0 {
				r.raw = part[:len(part)-1]
				r.line++
				return r.raw, nil
			}
			r.long = append(r.long, part...)
		}
		switch {
		case err == nil:
			r.raw = r.long[:len(r.long)-1]
			r.line++
			return r.raw, nil
		case errors.Is(err, bufio.ErrBufferFull):
			if len(r.long) > min(limit, lineLimit(r.long)) {
				return nil, &LineError{r.line + 1, errLong}
			}
		default:
			r.raw = r.long
			return nil, r.endOf(err, len(r.long) > 0)
		}
	}
}

// endOf translates the source's final error into the log's. torn reports whether a line has begun before it.
func (r *Reader) endOf(err error, torn bool) error {
	var p *os.PathError
	switch {
	case errors.As(err, &p): // the disk failed, say
		return err
	case r.zst != nil && !errors.Is(err, io.EOF):
		// The frame was cut or never reached the disk. Everything before it has been read.
		return ErrCut
	case errors.Is(err, io.EOF) && torn:
		return ErrCut
	}
	return err
}

// Close closes the file that Open opened, and gives the decoder's memory back. It waits for a read of another source
// that has begun.
func (r *Reader) Close() (err error) {
	if r.ahead != nil {
		close(r.ahead.stop)
	}
	if r.file != nil {
		err = r.file.Close()
	}
	if r.ahead != nil {
		r.ahead.running.Wait()
		r.ahead = nil
	}
	if r.err == nil {
		r.err = os.ErrClosed
	}
	if r.zst != nil {
		r.zst.Close()
	}
	return err
}
