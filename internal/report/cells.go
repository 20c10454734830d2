package report

import (
	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/text"
)

// whoCell is a cell of the calls that made something, elided where there is no room.
func whoCell(c callers.Chain) text.Cell { return text.Cell{Text: c.Text(0), Fit: c.Text} }
