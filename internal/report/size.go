package report

import (
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/text"
)

// countText writes "1 thread", "2 threads".
func countText(n int, noun string) string { return text.Count(n, noun, noun+"s") }

// peakText writes peak without its unit where now, written just before, has the same.
func peakText(now, peak int64) string {
	s := text.Size(peak)
	number, unit, _ := strings.Cut(s, " ")
	if strings.HasSuffix(text.Size(now), " "+unit) {
		return number
	}
	return s
}

// whoCell is a cell of the calls that made something, elided where there is no room.
func whoCell(c callers.Chain) text.Cell { return text.Cell{Text: c.Text(0), Fit: c.Text} }
