package main

import (
	"os"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/text"
)

// pipeWidth is how wide lines are that go to a file or a pipe, unless COLUMNS or --wide says otherwise.
const pipeWidth = 120

// look says how text on f looks: as wide as the terminal, and in colours on one, unless NO_COLOR is set (no-color.org) or
// TERM says that it has none, and in the language of cmd. On a terminal tables have as many rows as it has room for.
func look(cmd *cobra.Command, f *os.File) text.Style {
	columns, rows, ok := terminal(f)
	l := text.Style{Width: pipeWidth, Words: language(cmd)}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		l.Width = n
	}
	if !ok {
		return l
	}
	if columns > 0 {
		l.Width = columns
	}
	if rows > 0 {
		l.Rows = max(rows-aroundRows, leastRows)
	}
	l.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return l
}

const (
	aroundRows = 14 // lines of a report that are no rows of its table, about
	leastRows  = 8
)

// terminal reports whether f is a terminal, and how many columns and rows it has.
func terminal(f *os.File) (columns, rows int, ok bool) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	return int(ws.Col), int(ws.Row), true
}
