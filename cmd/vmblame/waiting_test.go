package main

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// TestWaitingLines: lines leave in the order in which they came, segments end where they were ended, what was taken back
// is gone, and the memory of what has been written is used again.
func TestWaitingLines(t *testing.T) {
	var w waitingLines
	var want, got bytes.Buffer
	memory := map[*byte]bool{}
	number, ends := 0, 0
	for round := range 50 {
		for range 4000 {
			before := w.here()
			line := fmt.Appendf(nil, "line %d of some length, so that a piece has not too many\n", number)
			p := w.open()
			p.lines = append(p.lines, line...)
			w.grown(len(line))
			switch number++; {
			case number%7 == 0:
				w.endSegment(new(eventlog.End))
				w.backTo(before)
			case number%997 == 0:
				w.endSegment(&eventlog.End{Events: uint64(number)})
				fallthrough
			default:
				want.Write(line)
			}
		}
		if round%3 == 0 {
			w.endSegment(&eventlog.End{Events: uint64(number)})
		}
		sum := w.bytes
		for _, p := range w.take() {
			sum -= len(p.lines)
			got.Write(p.lines)
			if cap(p.lines) > 0 {
				memory[&p.lines[:1][0]] = true
			}
			if p.end != nil {
				ends++
				if last := fmt.Sprintf("line %d ", p.end.Events-1); round%3 != 0 && !bytes.Contains(p.lines[bytes.LastIndexByte(p.lines[:len(p.lines)-1], '\n')+1:], []byte(last)) {
					t.Errorf("a segment ends behind another line than %s", last)
				}
			}
			w.recycle(p.lines)
		}
		if sum != 0 {
			t.Errorf("%d bytes more were counted than waited", sum)
		}
	}
	if !bytes.Equal(got.Bytes(), want.Bytes()) {
		t.Errorf("%d bytes left, %d came, or in another order", got.Len(), want.Len())
	}
	if ends < 150 || len(memory) > 2*mostSpare {
		t.Errorf("%d segments ended; %d pieces of memory for %d bytes", ends, len(memory), got.Len())
	}
}
