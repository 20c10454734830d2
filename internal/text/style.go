package text

import "strconv"

// Style says how text looks.
type Style struct {
	Width     int  // columns of the terminal
	Rows      int  // so many rows of a table at most, 0 for all
	Processes int  // so many processes in full at most, 0 for all
	Color     bool // with ANSI colours
	Whole     bool // nothing is elided, however wide lines get: for output that programs read
	Wide      bool // names of functions as they are, with the arguments of templates; with Whole
	Bytes     bool // sizes are exact numbers of bytes
	Log       string
	Words     Words // of another language than English; nil for English
}

// ANSI colours.
const (
	Head   = "\x1b[1m"
	Number = "\x1b[33m"
	Kind   = "\x1b[36m"
	// Default is the terminal's own colour, for a cell in a coloured column.
	Default = "\x1b[39m"

	off = "\x1b[0m"
)

// Size writes a number of bytes.
func (s Style) Size(n int64) string {
	if s.Bytes {
		return strconv.FormatInt(n, 10)
	}
	return Size(n)
}

// Measured writes a number of bytes, or "?" for nil, which means not measured.
func (s Style) Measured(n *int64) string {
	if n == nil {
		return "?"
	}
	return s.Size(*n)
}

// Change writes a difference in bytes, with its sign.
func (s Style) Change(n int64) string {
	if n > 0 {
		return "+" + s.Size(n)
	}
	return s.Size(n)
}

// Paint puts text into a colour, where there are colours.
func (s Style) Paint(color, text string) string {
	if !s.Color || color == "" || text == "" {
		return text
	}
	return color + text + off
}

// Lines is the width that lines must fit, 0 if they are not cut.
func (s Style) Lines() int {
	if s.Whole {
		return 0
	}
	return s.Width
}
