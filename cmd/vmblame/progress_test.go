package main

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
)

// onTerminal runs the command with standard error a terminal of so many columns, and returns what it showed. A reading that
// takes longer than after shows how far it is.
func onTerminal(t *testing.T, after time.Duration, columns int, args ...string) string {
	t.Helper()
	master, slave := testenv.Terminal(t)
	defer master.Close()
	if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}); err != nil {
		t.Fatal(err)
	}
	shown := make(chan string)
	go func() {
		b, _ := io.ReadAll(master) // ends with an error when the other side is closed
		shown <- string(b)
	}()
	root := rootCommand()
	root.SetOut(io.Discard)
	root.SetErr(slave)
	root.SetContext(context.WithValue(t.Context(), barPatienceKey{}, after))
	execute(root, args, slave)
	slave.Close()
	return <-shown
}

// readingLogs are the commands that read a log of any length; OUT is a file to be made.
var readingLogs = []string{
	"report LOG", "blame LOG 0x7ffff7a00000", "history LOG 7ffff7a00000", "diff LOG LOG", "growth LOG", "failed LOG",
	"check LOG", "symbolize --debug-dir= -o OUT LOG", "html -o OUT LOG", "export --format json LOG", "export --format folded LOG", "export --format csv --table events LOG",
}

// TestProgress: what reads a log for long shows in one line of a terminal how far it is, and takes that away again; what is
// over soon shows nothing, nor does what writes its errors to a file.
func TestProgress(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	percent := regexp.MustCompile(`\[[#.]{40}\] +\d+ %`)
	for _, line := range readingLogs {
		t.Run(strings.ReplaceAll(line, " ", "_"), func(t *testing.T) {
			args := ask(strings.ReplaceAll(line, "OUT", filepath.Join(t.TempDir(), "out")), sampleLog)
			const columns = 70
			shown := onTerminal(t, 0, columns, args...)
			drawn := 0
			for _, part := range strings.Split(shown, clearLine) {
				if percent.MatchString(part) {
					drawn++
					if n := text.Width(part); n >= columns || strings.Contains(part, "\n") {
						t.Errorf("%d columns: %q", n, part)
					}
				}
			}
			if drawn == 0 {
				t.Fatalf("no progress: %q", shown)
			}
			if last := shown[strings.LastIndex(shown, clearLine):]; percent.MatchString(last) {
				t.Errorf("it stays: %q", shown)
			}
			if shown := onTerminal(t, time.Hour, columns, args...); percent.MatchString(shown) || strings.Contains(shown, clearLine) {
				t.Errorf("of a short reading: %q", shown)
			}
		})
	}
}

// TestProgressMakesRoom: a problem that check prints stands in a line of its own.
func TestProgressMakesRoom(t *testing.T) {
	var b bytes.Buffer
	wide := &bar{w: &b, width: 60, name: strings.Repeat("long", 20), size: 10}
	wide.reached(5)
	wide.erase()
	wide.erase()
	b.WriteString("problem\n")
	wide.drawn = time.Time{}
	wide.reached(10)
	wide.end()
	wide.drawn = time.Time{}
	wide.reached(10)
	want := clearLine + "longlon... [####################....................]  50 %" + clearLine + "problem\n" +
		clearLine + "longlon... [########################################] 100 %" + clearLine
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	for width := 1; width < 60; width++ {
		b.Reset()
		narrow := &bar{w: &b, width: width, name: "name", size: 10}
		narrow.reached(5)
		if n := text.Width(strings.TrimPrefix(b.String(), clearLine)); n >= width {
			t.Errorf("width %d: %d columns: %q", width, n, b.String())
		}
	}
}

// TestNamingProgress: symbolize shows on a terminal whose addresses it looks up.
func TestNamingProgress(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	shown := onTerminal(t, 0, 70, "symbolize", "--debug-dir=", "-o", filepath.Join(t.TempDir(), "out"), sampleLog)
	if !regexp.MustCompile(`silly \[[#.]{40}\] +\d+ %`).MatchString(shown) {
		t.Errorf("%q", shown)
	}
}
