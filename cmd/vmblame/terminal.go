package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// pipeWidth is how wide a table is that goes to a file or a pipe.
const pipeWidth = 100

// look says how wide f is in columns; whether colours are wanted there: on a terminal, unless NO_COLOR is
// set (no-color.org) or TERM says that it has none; and whether lines are to be whole, however wide: where
// f is no terminal, so that another program can read them, unless COLUMNS is in the environment.
func look(f *os.File) (width int, color, whole bool) {
	width, ok := terminal(f)
	if !ok {
		if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
			return n, false, false
		}
		return pipeWidth, false, true
	}
	if width == 0 {
		width = pipeWidth
	}
	return width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", false
}

// terminal reports whether f is a terminal, and how many columns it has.
func terminal(f *os.File) (columns int, ok bool) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(ws.Col), true
}
