package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vmblame/vmblame/internal/text"
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
	paint := text.Style{Color: o.Color}.Paint
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
		whats[i] = text.Printable(t.rows[i].what(limit))
		what = max(what, utf8.RuneCountInString(whats[i]))
	}
	who := 0
	if !o.Whole {
		who = width - 3*figure - 2*gap - what
	}
	figures := func(r *row) string {
		resident := "-"
		if t.resident {
			resident = text.Size(r.resident)
		}
		return paint(text.Number, fmt.Sprintf("%*s%*s%*s", figure, text.Size(r.reserved), figure, text.Size(r.committed), figure, resident))
	}
	pad := strings.Repeat(" ", gap)
	head := fmt.Sprintf("%*s%*s%*s%s%-*s%sWHO", figure, "RESERVED", figure, "COMMITTED", figure, "RESIDENT", pad, what, "WHAT", pad)
	b = append(b, paint(text.Head, head)...)
	b = append(b, '\n')
	for i := range t.rows {
		r := &t.rows[i]
		fill := strings.Repeat(" ", what-utf8.RuneCountInString(whats[i]))
		b = append(b, figures(r)+pad+paint(text.Kind, whats[i])+fill+pad+text.Printable(r.who.Text(who))+"\n"...)
	}
	if t.more.mappings > 0 {
		b = append(b, figures(&t.more)+pad+countText(t.more.mappings, "smaller owner")+"\n"...)
	}
	return b
}
