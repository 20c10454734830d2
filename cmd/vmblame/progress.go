package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/vmblame/vmblame/internal/text"
)

const (
	barWidth    = 40                     // columns of the bar between its brackets
	barInterval = 100 * time.Millisecond // how often it is drawn at most
	barPatience = time.Second            // how long a reading takes before it shows how far it is
)

// barPatienceKey is the key under which a command's context may hold another barPatience: tests set it, so as not to
// wait.
type barPatienceKey struct{}

// A bar shows on a terminal how far the reading of a file, or the naming of a log, has come. It is one line that is
// drawn again and again. Since the reader of a log reads ahead of its user, two goroutines draw and erase it. A nil bar
// draws nothing.
type bar struct {
	w     io.Writer
	after time.Duration // how long nothing is drawn
	width int           // columns of the terminal, 0 for unknown
	name  string
	size  int64 // of the file in bytes, or the number of addresses to name
	begun time.Time

	mu    sync.Mutex
	drawn time.Time // last; zero: not yet
	stays bool      // the line of the terminal shows it
	over  bool
}

// newBar returns a bar for a file of that name and size, nil if w is not a terminal.
func newBar(ctx context.Context, w io.Writer, name string, size int64) *bar {
	stderr, ok := w.(*os.File)
	if !ok || size <= 0 {
		return nil
	}
	width, _, ok := terminal(stderr)
	if !ok {
		return nil
	}
	after := barPatience
	if d, ok := ctx.Value(barPatienceKey{}).(time.Duration); ok {
		after = d
	}
	return &bar{w: stderr, after: after, width: width, name: text.Printable(name), size: size, begun: time.Now()}
}

// reached tells the bar that so many bytes of the file have been read. It draws the bar now and then.
func (b *bar) reached(read int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if b.over || now.Sub(b.begun) < b.after || now.Sub(b.drawn) < barInterval {
		return
	}
	whole := max(b.size, read) // it may still be written
	done := int(read * barWidth / whole)
	percent := fmt.Sprintf("%3d %%", read*100/whole)
	line := fmt.Sprintf("[%s%s] %s", strings.Repeat("#", done), strings.Repeat(".", barWidth-done), percent)
	switch room := b.width - 1 - len(line); { // a line that fills the last column may wrap
	case b.width == 0:
		line = b.name + " " + line
	case room > len("a... "):
		line = text.Clip(b.name, room-1) + " " + line
	case room >= 0:
	case b.width > len(percent):
		line = percent
	default:
		return
	}
	b.drawn, b.stays = now, true
	fmt.Fprint(b.w, clearLine+line)
}

// turn sets the name that the bar shows, and how much is done.
func (b *bar) turn(name string, done int64) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.name = text.Printable(name)
	b.mu.Unlock()
	b.reached(done)
}

// erase removes the bar from the terminal until it is drawn again, so that other text can be written.
func (b *bar) erase() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stays {
		fmt.Fprint(b.w, clearLine)
		b.stays = false
	}
}

// end removes the bar for good.
func (b *bar) end() {
	if b == nil {
		return
	}
	b.erase()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}
