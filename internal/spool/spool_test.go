package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// gate is a destination that takes nothing before it is opened.
type gate struct {
	open chan struct{}
	got  bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.got.Write(p)
}

func TestSpoolHandsOn(t *testing.T) {
	var got bytes.Buffer
	s := New(&got, 1<<20)
	var want strings.Builder
	for i := range 1000 {
		fmt.Fprintf(s, "line %d\n", i)
		fmt.Fprintf(&want, "line %d\n", i)
	}
	if !s.Close(time.Minute) || got.String() != want.String() {
		t.Errorf("%d bytes, want %d", got.Len(), want.Len())
	}
}

// TestSpoolDrops: who writes never waits, talk is dropped first, and where lines are missing that is said.
func TestSpoolDrops(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	s := New(g, 1000)
	line := strings.Repeat("x", 99) + "\n"
	for range 100 {
		io.WriteString(s.Talk(), line)
	}
	io.WriteString(s, "important\n")
	for range 100 {
		io.WriteString(s, line)
	}
	if s.Close(time.Millisecond) {
		t.Error("a destination that takes nothing has taken all")
	}
	close(g.open)
	if !Await(s.done, &s.moved, time.Minute) {
		t.Fatal("it is not done")
	}
	text := g.got.String()
	kept := strings.Count(text, line)
	if !strings.Contains(text, "important\n") || kept < 7 || kept > 21 {
		t.Errorf("kept %d lines:\n%s", kept, text)
	}
	missing := 0
	for l := range strings.Lines(text) {
		var n int
		if got, _ := fmt.Sscanf(l, "vmblame: %d lines are missing here", &n); got == 1 {
			missing += n
		}
	}
	if missing+kept != 200 {
		t.Errorf("%d lines kept, %d said to be missing:\n%s", kept, missing, text)
	}
}

// TestSpoolFails: a destination that fails is told of to whoever writes next.
func TestSpoolFails(t *testing.T) {
	broken := errors.New("broken")
	r, w := io.Pipe()
	r.CloseWithError(broken)
	s := New(w, 1000)
	io.WriteString(s, "x\n")
	if !s.Close(time.Minute) {
		t.Fatal("it waits")
	}
	if _, err := io.WriteString(s, "y\n"); err != broken {
		t.Errorf("%v", err)
	}
}
