package text

import (
	"slices"
	"strings"
	"unicode/utf8"

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

// ClipStart cuts text to width columns at its beginning, for paths, whose end is the most informative part.
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

// first returns the longest beginning of text that fits into width columns, in whole characters.
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

// Fold breaks text into lines of at most width columns (0 for no limit), each after the first preceded by indent. Lines
// break between words, and in what is written without blanks where Unicode Standard Annex 14 lets them; a word that is wider
// than a line is broken where the line ends.
func Fold(text string, width int, indent string) string {
	var out strings.Builder
	at := 0
	for i, p := range pieces(words(text)) {
		w, n, blank := p.text, Width(p.text), 1
		if p.joined {
			blank = 0
		}
		switch {
		case i == 0:
		case width > 0 && at+blank+n > width && at > Width(indent):
			out.WriteString("\n" + indent)
			at = Width(indent)
		default:
			out.WriteString(" "[:blank])
			at += blank
		}
		for width > 0 && at+n > width && width > Width(indent) {
			part := first(w, width-at)
			if part == "" && at == Width(indent) {
				break // not even one character has room
			}
			out.WriteString(part + "\n" + indent)
			w, at = w[len(part):], Width(indent)
			n = Width(w)
		}
		out.WriteString(w)
		at += n
	}
	return out.String()
}

// A piece is a part of a text in which no line may break.
type piece struct {
	text   string
	joined bool // there is no blank before it
}

// pieces splits words further where East Asian text may be broken without a blank: never before a full stop or behind a
// bracket, nor in what is written in Latin letters.
func pieces(words []string) []piece {
	list := make([]piece, 0, len(words))
	for _, w := range words {
		if Width(w) == len(w) {
			list = append(list, piece{text: w})
			continue
		}
		from, at, state := 0, 0, -1
		for rest := w; rest != ""; {
			var segment string
			segment, rest, _, state = uniseg.FirstLineSegmentInString(rest, state)
			at += len(segment)
			last, _ := utf8.DecodeLastRuneInString(segment)
			next, _ := utf8.DecodeRuneInString(rest)
			if rest == "" || isWide(last) || isWide(next) {
				list = append(list, piece{w[from:at], from > 0})
				from = at
			}
		}
	}
	return list
}

// isWide reports whether a character takes two columns, as those do between which lines may break.
func isWide(r rune) bool { return r > '~' && uniseg.StringWidth(string(r)) == 2 }

// words splits text at blanks. A unit belongs to the number before it.
func words(text string) []string {
	list := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' })
	n := 0
	for i, w := range list {
		unit := w
		if n := strings.IndexFunc(w, func(r rune) bool { return r > '~' }); n >= 0 {
			unit = w[:n] // what follows may be broken there
		}
		unit = strings.TrimRight(unit, ".,;:)")
		if i > 0 && slices.Contains([]string{"%", "B", "KiB", "MiB", "GiB", "TiB", "s"}, unit) && list[n-1] != "" {
			if c := list[n-1][len(list[n-1])-1]; '0' <= c && c <= '9' {
				list[n-1] += " " + w
				continue
			}
		}
		list[n] = w
		n++
	}
	return list[:n]
}

// Indented writes text behind a head, in lines of at most width columns (0 for no limit) that begin below the text's beginning.
func Indented(head, text string, width int) string {
	n := Width(head)
	if width > 0 && n+12 > width {
		n = min(4, width/4) // there is no room beside such a head
	}
	// The head's blanks are not where a line may break.
	const blank = "\u00a0"
	folded := Fold(strings.ReplaceAll(head, " ", blank)+text, width, strings.Repeat(" ", n))
	rest, ok := strings.CutPrefix(folded, strings.ReplaceAll(head, " ", blank))
	if !ok {
		return folded
	}
	return head + rest
}

// Commands writes commands behind a word, "next: ", several to a line where they have room, and breaks those that are
// wider than width (0 for no limit) so that a shell still takes them: with a backslash at the end of the line.
func Commands(word string, width int, commands ...string) string {
	var out strings.Builder
	out.WriteString(word)
	indent := strings.Repeat(" ", Width(word))
	at := len(indent)
	for i, c := range commands {
		if i > 0 {
			if width > 0 && at+4+Width(c) > width {
				out.WriteString("\n" + indent)
				at = len(indent)
			} else {
				out.WriteString("    ")
				at += 4
			}
		}
		words := strings.Split(c, " ")
		for j, w := range words {
			if j > 0 {
				sign := 2 // of a line that goes on
				if j == len(words)-1 {
					sign = 0
				}
				if width > 0 && at+1+Width(w)+sign > width && at > len(indent)+2 {
					out.WriteString(" \\\n" + indent + "  ")
					at = len(indent) + 2
				} else {
					out.WriteByte(' ')
					at++
				}
			}
			for width > 1 && at+Width(w) > width {
				part := first(w, width-at-1)
				out.WriteString(part + "\\\n") // and on in the first column: a blank would end the word
				w, at = w[len(part):], 0
				if part == "" && width < 4 {
					break
				}
			}
			out.WriteString(w)
			at += Width(w)
		}
	}
	out.WriteByte('\n')
	return out.String()
}
