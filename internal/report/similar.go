package report

import (
	"slices"
	"strconv"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// shownRows returns the rows of a process for a terminal with few lines: parts that would look the same are merged.
func shownRows(r *analysis.Report, rows []analysis.Row, l text.Style) []analysis.Row {
	if l.Rows == 0 || r.By != analysis.ByKind {
		return rows
	}
	rows = slices.Clone(rows)
	for i := range rows {
		h := &rows[i]
		if len(h.Parts) == 0 {
			continue
		}
		if h.Parts = mergeSimilar(h.Parts); len(h.Parts) == 1 {
			h.Who, h.Ranges, h.Parts = h.Parts[0].Who, h.Parts[0].Ranges, nil
		}
		analysis.SortRows(h.Parts, r.Sort)
	}
	return rows
}

// mergeSimilar merges parts whose calls look the same once they are elided to a terminal's width.
func mergeSimilar(parts []analysis.Row) []analysis.Row {
	const room = 48
	by := map[string]int{}
	var list []analysis.Row
	for _, h := range parts {
		i, known := 0, false
		if len(h.Calls) > 0 {
			k := h.Who.Text(room) + "\x00" + h.Part
			if i, known = by[k]; !known {
				by[k] = len(list)
			}
		}
		if !known {
			list = append(list, h)
			continue
		}
		o := &list[i]
		o.Add(&h.Totals)
		o.VMAs += h.VMAs
		o.Ranges = append(slices.Clip(o.Ranges), h.Ranges...)
		o.Label = strconv.Itoa(o.Count) + " of these"
	}
	return list
}
