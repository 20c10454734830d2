package eventlog

import (
	"bytes"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	// A batch is about so many bytes of whole lines. A longer line is a batch by itself, and then the only one in memory.
	batchSize = 256 << 10
	// More decoders than that would wait for who takes the records.
	mostDecoders = 4
	// So many reads in a row may yield nothing and no error, as in package bufio.
	mostEmptyReads = 100
)

// ahead reads a log before its records are asked for: one goroutine cuts it into batches of whole lines, others decode
// them, and the caller of Reader.Next takes them in the log's order. Its memory is bounded by the number of batches.
type ahead struct {
	src     io.Reader
	failed  error // what src returned with its last bytes
	endOf   func(err error, torn bool) error
	work    chan *batch
	inOrder chan *batch // all batches as they stand in the log
	free    chan *batch // those that nobody uses; it has room for all
	stop    chan struct{}
	skim    atomic.Bool // of events only Seq and T are wanted
	running sync.WaitGroup

	current *batch // whose lines are being taken, nil before the first
	next    int    // of its lines
}

// batch is some lines of a log, and what they say.
type batch struct {
	text  []byte // whole lines
	lines []batchLine
	dec   decoder
	ready chan struct{} // receives when lines are decoded
	end   error         // why no line comes behind these, nil where one may
	torn  bool          // with end: something does, but no whole line
}

// batchLine is one line of a batch.
type batchLine struct {
	text []byte // without the newline
	rec  Record // nil if the line is to be skipped
	err  error  // the line's, and the last of the batch then
}

func newBatch() *batch { return &batch{ready: make(chan struct{}, 1)} }

// startAhead begins to read the lines behind the header.
func startAhead(r *Reader) *ahead {
	decoders := min(runtime.GOMAXPROCS(0), mostDecoders)
	n := decoders + 4 // one that is being filled, one whose records are being taken, two that wait: to wake a goroutine costs more than to decode some lines
	a := &ahead{src: r.src, endOf: r.endOf,
		work: make(chan *batch, n), inOrder: make(chan *batch, n), free: make(chan *batch, n), stop: make(chan struct{})}
	for range n {
		a.free <- newBatch()
	}
	a.running.Add(1 + decoders)
	go a.read()
	for range decoders {
		go a.decode()
	}
	return a
}

// line returns the next line. After the last one it returns why there is no other: io.EOF, errLong, or the error of Reader.endOf.
func (a *ahead) line() (*batchLine, error) {
	for {
		if b := a.current; b != nil {
			if a.next < len(b.lines) {
				a.next++
				return &b.lines[a.next-1], nil
			}
			if b.end != nil {
				return nil, b.end
			}
			a.free <- b
		}
		a.advance()
	}
}

// advance waits for the next batch.
func (a *ahead) advance() {
	a.current, a.next = <-a.inOrder, 0
	<-a.current.ready
}

// last reports whether the line last returned is the last thing in the log. The caller must not ask for a line after it.
func (a *ahead) last() bool {
	if a.current.end == nil && a.next == len(a.current.lines) {
		a.advance()
	}
	b := a.current
	return b.end != nil && a.next == len(b.lines) && !b.torn
}

// decode decodes batches until there are no more.
func (a *ahead) decode() {
	defer a.running.Done()
	for b := range a.work {
		b.dec.parts.reset()
		b.lines = b.lines[:0]
		for rest := b.text; len(rest) > 0; {
			n := bytes.IndexByte(rest, '\n')
			l := batchLine{text: rest[:n]}
			rest = rest[n+1:]
			if e := a.skimmed(b, l.text); e != nil {
				l.rec = e
			} else {
				l.rec, l.err = b.dec.decodeMore(l.text)
			}
			b.lines = append(b.lines, l)
		}
		b.ready <- struct{}{}
	}
}

func (a *ahead) skimmed(b *batch, line []byte) *Event {
	if !a.skim.Load() {
		return nil
	}
	return b.dec.skimEvent(line)
}

// read cuts the log into batches until its end, or until stop is closed.
func (a *ahead) read() {
	defer a.running.Done()
	defer close(a.work)
	var rest []byte // the beginning of a line
	for {
		b := a.take()
		if b == nil {
			return
		}
		b.text = append(slices.Grow(b.text[:0], batchSize), rest...)
		whole, long := a.fill(b)
		if whole < 0 {
			return
		}
		rest = append(rest[:0], b.text[whole:]...)
		b.text = b.text[:whole]
		a.inOrder <- b
		a.work <- b
		if b.end != nil {
			return
		}
		if long {
			if a.take() == nil {
				return
			}
			for range cap(a.free) {
				a.free <- newBatch() // the old ones are large
			}
		}
	}
}

// fill reads until b holds at least one whole line, and returns the length of all whole lines. At the end of the log it sets b.end, and there are none.
// long reports whether the line is so long that b must be the only batch at present. whole is negative if reading is to stop.
func (a *ahead) fill(b *batch) (whole int, long bool) {
	for empty := 0; ; {
		at := len(b.text)
		room := batchSize - at
		if room <= 0 {
			room = batchSize
			for range cap(a.free) - 1 {
				if !long && a.take() == nil {
					return -1, false
				}
			}
			long = true
			if at > lineLimit(b.text) {
				b.end, b.torn = errLong, true
				return 0, long
			}
		}
		n, err := 0, a.failed
		if err == nil {
			b.text = slices.Grow(b.text, room)
			n, err = a.src.Read(b.text[at : at+room])
			b.text = b.text[:at+n]
		}
		if i := bytes.LastIndexByte(b.text[at:], '\n'); i >= 0 {
			a.failed = err
			return at + i + 1, long
		}
		if empty++; n > 0 {
			empty = 0
		}
		if err == nil && empty > mostEmptyReads {
			err = io.ErrNoProgress
		}
		if err != nil {
			b.end, b.torn = a.endOf(err, len(b.text) > 0), len(b.text) > 0
			return 0, long
		}
	}
}

// take waits for an unused batch. It returns nil if reading is to stop.
func (a *ahead) take() *batch {
	select {
	case <-a.stop:
		return nil
	default:
	}
	select {
	case b := <-a.free:
		return b
	case <-a.stop:
		return nil
	}
}
