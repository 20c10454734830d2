package text

import (
	"iter"
	"slices"
	"strings"
)

// A Table is rows of cells in aligned columns, the last of which takes the remaining width. Cells may hold anything:
// they are written by Printable.
type Table struct {
	Columns []Column
	Indent  int // of every line, in columns
	rows    [][]Cell
}

// A Column of a Table.
type Column struct {
	Head  string
	Right bool // figures stand at the right edge
	Color string
	Limit int // maximum width if lines must fit, 0 for no limit
}

// A Cell is one field of a row.
type Cell struct {
	Text  string
	Color string // "" for the column's
	// Fit, if set on the last cell of a row, returns the text for a width; 0 is no limit.
	Fit func(width int) string

	banner bool // the row is this text alone, without columns
}

// Plain is a cell of text.
func Plain(s string) Cell { return Cell{Text: s} }

// Banner is a row of text alone, without columns.
func Banner(text string) []Cell { return []Cell{{Text: text, banner: true}} }

// Add adds a row.
func (t *Table) Add(cells ...Cell) { t.rows = append(t.rows, cells) }

// Append appends the rows that were added, with a head unless no column has one.
func (t *Table) Append(b []byte, s Style) []byte { return t.AppendRows(b, s, slices.Values(t.rows)) }

// AppendRows is Append for generated rows. It iterates over them twice, first to measure the columns.
func (t *Table) AppendRows(b []byte, s Style, rows iter.Seq[[]Cell]) []byte {
	widths, limits := t.measure(s, rows)
	var head []Cell
	heads := false
	for _, c := range t.Columns {
		head = append(head, Cell{Text: c.Head, Color: Head})
		heads = heads || c.Head != ""
	}
	if heads {
		b = t.line(b, s, widths, make([]int, len(widths)), head)
	}
	for r := range rows {
		if r[0].banner {
			b = append(append(b, r[0].Text...), '\n')
			continue
		}
		b = t.line(b, s, widths, limits, r)
	}
	return b
}

// measure returns the width of each column, and the maximum for its cells, 0 for no limit.
func (t *Table) measure(s Style, rows iter.Seq[[]Cell]) (widths, limits []int) {
	widths, limits = make([]int, len(t.Columns)), make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = Width(c.Head)
		if !s.Whole {
			limits[i] = c.Limit
		}
	}
	need := 0 // width of the last column that must stay
	for r := range rows {
		if r[0].banner {
			continue
		}
		// The last cell of a line needs no room.
		for i := range r[:len(r)-1] {
			widths[i] = max(widths[i], Width(Clip(Printable(r[i].Text), limits[i])))
		}
		if last := r[len(r)-1]; len(r) == len(t.Columns) && !s.Whole {
			text := last.Text
			if last.Fit != nil {
				text = last.Fit(1)
			}
			need = max(need, min(Width(Printable(text)), min(30, s.Width/3)))
		}
	}
	if !s.Whole {
		t.squeeze(widths, limits, need, s.Width)
	}
	return widths, limits
}

// squeeze narrows the limited columns so that the last one gets the width it needs.
func (t *Table) squeeze(widths, limits []int, need, width int) {
	least := 18
	if width < 90 {
		least = 11
	}
	at := t.Indent
	for _, w := range widths[:len(widths)-1] {
		at += w + 2
	}
	for i := range t.Columns {
		if over := at + need - width; limits[i] > 0 && over > 0 {
			limits[i] = max(widths[i]-over, least)
			at -= max(widths[i]-limits[i], 0)
			widths[i] = min(widths[i], limits[i])
		}
	}
}

func (t *Table) line(b []byte, s Style, widths, limits []int, r []Cell) []byte {
	at := t.Indent
	b = append(b, strings.Repeat(" ", t.Indent)...)
	for i, c := range r {
		last := i == len(r)-1
		room := 0
		if !s.Whole && last {
			room = max(s.Width-at, 12)
		}
		text := c.Text
		if c.Fit != nil {
			text = c.Fit(room)
		}
		text = Clip(Printable(text), limits[i])
		if c.Fit == nil && s.Width > 0 {
			text = Clip(text, room)
		}
		n := Width(text)
		fill := strings.Repeat(" ", max(widths[i]-n, 0))
		color := c.Color
		if color == "" {
			color = t.Columns[i].Color
		}
		switch {
		case t.Columns[i].Right:
			b = append(b, fill+s.Paint(color, text)...)
		case last:
			b = append(b, s.Paint(color, text)...)
		default:
			b = append(b, s.Paint(color, text)+fill...)
		}
		if !last {
			b = append(b, "  "...)
			at += max(widths[i], n) + 2
		}
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return append(b, '\n')
}
