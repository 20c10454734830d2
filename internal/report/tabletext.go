package report

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ANSI colours of a table.
const (
	colorHead   = "\x1b[1m"
	colorNumber = "\x1b[33m"
	colorKind   = "\x1b[36m"
	colorOff    = "\x1b[0m"
)

// Widths of columns: three of figures, two spaces after them, and the bounds of WHAT.
const (
	figure   = 11
	gap      = 2
	minWhat  = 9
	maxWhat  = 42
	minWidth = 60
)

// appendText appends the table with a head, fitted into o.Width columns.
func (t *ownerTable) appendText(b []byte, o SummaryOptions) []byte {
	paint := func(c, text string) string {
		if o.Color {
			return c + text + colorOff
		}
		return text
	}
	width := max(o.Width, minWidth)
	limit := maxWhat
	if !o.Whole {
		limit = min(maxWhat, (width-3*figure-2*gap)*2/5)
		if width >= 100 {
			limit = min(maxWhat, (width-3*figure-2*gap)/2)
		}
	}
	whats := make([]string, len(t.rows))
	what := minWhat
	for i := range t.rows {
		whats[i] = Printable(t.rows[i].what(limit))
		what = max(what, utf8.RuneCountInString(whats[i]))
	}
	who := 0
	if !o.Whole {
		who = width - 3*figure - 2*gap - what
	}
	figures := func(r *row) string {
		resident := "-"
		if t.resident {
			resident = bytesText(r.resident)
		}
		return paint(colorNumber, fmt.Sprintf("%*s%*s%*s", figure, bytesText(r.reserved), figure, bytesText(r.committed), figure, resident))
	}
	pad := strings.Repeat(" ", gap)
	head := fmt.Sprintf("%*s%*s%*s%s%-*s%sWHO", figure, "RESERVED", figure, "COMMITTED", figure, "RESIDENT", pad, what, "WHAT", pad)
	b = append(b, paint(colorHead, head)...)
	b = append(b, '\n')
	for i := range t.rows {
		r := &t.rows[i]
		fill := strings.Repeat(" ", what-utf8.RuneCountInString(whats[i]))
		b = append(b, figures(r)+pad+paint(colorKind, whats[i])+fill+pad+Printable(r.who.text(who))+"\n"...)
	}
	if t.more.mappings > 0 {
		b = append(b, figures(&t.more)+pad+countText(t.more.mappings, "smaller owner")+"\n"...)
	}
	return b
}
