package text

import (
	"strings"
	"unicode/utf8"
)

// Width is how many columns of a terminal text takes.
func Width(text string) int { return utf8.RuneCountInString(text) }

// Clip cuts text to width columns, 0 for no limit.
func Clip(text string, width int) string {
	if width <= 0 || Width(text) <= width {
		return text
	}
	r := []rune(text)
	if width <= 3 {
		return string(r[:width])
	}
	return string(r[:width-3]) + "..."
}

// Fold breaks text into lines of at most width columns (0 for no limit), those after the first behind indent.
func Fold(text string, width int, indent string) string {
	var out strings.Builder
	at := 0
	for i, w := range strings.Fields(text) {
		n := Width(w)
		switch {
		case i == 0:
		case width > 0 && at+1+n > width:
			out.WriteString("\n" + indent)
			at = Width(indent)
		default:
			out.WriteByte(' ')
			at++
		}
		out.WriteString(w)
		at += n
	}
	return out.String()
}
