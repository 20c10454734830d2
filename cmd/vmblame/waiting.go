package main

import "github.com/vmblame/vmblame/internal/eventlog"

const (
	// linesChunk is how many bytes of lines stand in one piece, or are given to the Writer at once.
	linesChunk = 64 << 10
	// chunkRoom is the memory that a new piece gets: the last of its lines may end beyond linesChunk.
	chunkRoom = linesChunk + 16<<10
	// mostSpare bounds the pieces whose memory is kept for others.
	mostSpare = 16
)

// waitingLines is a queue of lines to be written, in pieces whose memory is reused. One long slice would be copied each
// time it grows, and would leave more garbage than everything else in a recording. It is not safe for concurrent use.
type waitingLines struct {
	pieces []piece
	bytes  int
	spare  [][]byte
}

// piece is some whole lines.
type piece struct {
	lines []byte
	end   *eventlog.End // the end line of a segment that follows this piece, nil for none
}

// place is a position between two lines.
type place struct {
	pieces, last, bytes int
	end                 *eventlog.End
}

// open returns the piece that the next line is appended to. After appending, the caller must call grown.
func (w *waitingLines) open() *piece {
	n := len(w.pieces)
	if n == 0 || len(w.pieces[n-1].lines) >= linesChunk || w.pieces[n-1].end != nil {
		var memory []byte
		if k := len(w.spare); k > 0 {
			memory, w.spare = w.spare[k-1], w.spare[:k-1]
		} else {
			memory = make([]byte, 0, chunkRoom)
		}
		w.pieces = append(w.pieces, piece{lines: memory})
		n++
	}
	return &w.pieces[n-1]
}

func (w *waitingLines) grown(bytes int) { w.bytes += bytes }

// endSegment marks the end of the present segment here.
func (w *waitingLines) endSegment(end *eventlog.End) {
	n := len(w.pieces)
	if n == 0 || w.pieces[n-1].end != nil {
		w.pieces = append(w.pieces, piece{})
		n++
	}
	w.pieces[n-1].end = end
}

// here returns the position after the last line.
func (w *waitingLines) here() place {
	p := place{pieces: len(w.pieces), bytes: w.bytes}
	if p.pieces > 0 {
		p.last, p.end = len(w.pieces[p.pieces-1].lines), w.pieces[p.pieces-1].end
	}
	return p
}

// backTo removes everything after p, including the end of a segment.
func (w *waitingLines) backTo(p place) {
	for _, gone := range w.pieces[p.pieces:] {
		w.recycle(gone.lines)
	}
	clear(w.pieces[p.pieces:])
	w.pieces, w.bytes = w.pieces[:p.pieces], p.bytes
	if p.pieces > 0 {
		last := &w.pieces[p.pieces-1]
		last.lines, last.end = last.lines[:p.last], p.end
	}
}

// take removes all pieces from the queue and returns them, the oldest first.
func (w *waitingLines) take() []piece {
	taken := w.pieces
	w.pieces, w.bytes = nil, 0
	return taken
}

// recycle returns the memory of a written piece for reuse.
func (w *waitingLines) recycle(lines []byte) {
	if len(w.spare) < mostSpare && cap(lines) > 0 && cap(lines) <= 4*linesChunk {
		w.spare = append(w.spare, lines[:0])
	}
}
