package text

import (
	"strings"

	"github.com/rivo/uniseg"
)

// Width is how many columns of a terminal text takes: two for what East Asia writes and for emoji, none for what combines
// with the character before it (Unicode Standard Annexes 11 and 29).
func Width(text string) int {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return uniseg.StringWidth(text)
		}
	}
	return len(text)
}

// Clip cuts text to width columns, 0 for no limit.
func Clip(text string, width int) string {
	if width <= 0 || Width(text) <= width {
		return text
	}
	if width <= 3 {
		return first(text, width)
	}
	return first(text, width-3) + "..."
}

// ClipStart cuts text to width columns at its beginning: of a path the end tells most.
func ClipStart(text string, width int) string {
	if Width(text) <= width {
		return text
	}
	state := -1
	for Width(text) > max(width-3, 0) {
		_, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
	}
	return "..." + text
}

// first is as much of text as has room in width columns, whole characters of it.
func first(text string, width int) string {
	at, state := 0, -1
	for rest := text; rest != ""; {
		var cluster string
		var n int
		cluster, rest, n, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if width -= n; width < 0 {
			break
		}
		at += len(cluster)
	}
	return text[:at]
}

// Fold breaks text into lines of at most width columns (0 for no limit), each after the first preceded by indent.
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
