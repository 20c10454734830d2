package text

import (
	"iter"
	"slices"
	"strings"
)

// A Table is rows of cells in aligned columns, the last of which takes the remaining width. Cells may hold anything:
// they are written by Printable. Where lines must fit a terminal, no line is wider: first the limited columns give way,
// then those that tell least are left out.
type Table struct {
	Columns []Column
	Indent  int // of every line, in columns
	rows    [][]Cell
}

// A Column of a Table.
type Column struct {
	Head  string // in English
	Named bool   // the head is a name, and the same in every language
	Right bool   // cells are aligned to the right
	Color string
	Limit int // maximum width if lines must fit, 0 for no limit
	Least int // columns below which a limited column is not narrowed, 0 for the table's own bound
	Spare int // where there is no room: the column with the lowest number is left out first; 0 stays
}

// leastTelling is the number of Spare up to which columns are left out before others are narrowed.
const leastTelling = 2

// A Cell is one field of a row.
type Cell struct {
	Text  string
	Color string // "" for the column's
	// Fit, if set on a cell of a limited column or on the last one of a row, returns the text for a width; 0 is no limit.
	Fit func(width int) string

	banner bool // the row is this text alone, without columns
}

// Plain is a cell of text.
func Plain(s string) Cell { return Cell{Text: s} }

// Banner returns a row that is text alone, without columns. Long text must already be broken into lines.
func Banner(text string) []Cell { return []Cell{{Text: text, banner: true}} }

// Add adds a row.
func (t *Table) Add(cells ...Cell) { t.rows = append(t.rows, cells) }

// Append appends the rows that were added, with a head unless no column has one.
func (t *Table) Append(b []byte, s Style) []byte { return t.AppendRows(b, s, slices.Values(t.rows)) }

// AppendRows is Append for generated rows. It iterates over them twice, first to measure the columns.
func (t *Table) AppendRows(b []byte, s Style, rows iter.Seq[[]Cell]) []byte {
	l := t.measure(s, rows)
	var head []Cell
	heads := false
	for _, c := range t.Columns {
		head = append(head, Cell{Text: c.head(s), Color: Head})
		heads = heads || c.Head != ""
	}
	if heads {
		b = t.line(b, s, l, head)
	}
	for r := range rows {
		if r[0].banner {
			for line := range strings.Lines(r[0].Text) {
				b = append(append(b, Clip(strings.TrimSuffix(line, "\n"), s.Lines())...), '\n')
			}
			continue
		}
		b = t.line(b, s, l, r)
	}
	return b
}

// head is the head of a column in the language of s.
func (c *Column) head(s Style) string {
	if c.Named {
		return c.Head
	}
	return s.Word(c.Head)
}

// A layout is the widths of a table's columns.
type layout struct {
	widths, limits []int  // limits are the maxima for cells, 0 for none
	out            []bool // the columns that are left out
}

// measure lays the columns out.
func (t *Table) measure(s Style, rows iter.Seq[[]Cell]) layout {
	n := len(t.Columns)
	l := layout{make([]int, n), make([]int, n), make([]bool, n)}
	for i, c := range t.Columns {
		l.widths[i] = Width(c.head(s))
		if !s.Whole {
			l.limits[i] = c.Limit
		}
	}
	need := 0 // width that the last column should have
	for r := range rows {
		if r[0].banner {
			continue
		}
		// The last cell of a line needs no room.
		for i := range r[:len(r)-1] {
			l.widths[i] = max(l.widths[i], Width(r[i].in(l.limits[i])))
		}
		if last := r[len(r)-1]; len(r) == n && !s.Whole {
			need = max(need, min(Width(Printable(last.Text)), min(30, s.Width/3)))
		}
	}
	if !s.Whole {
		t.squeeze(&l, need, s.Width)
	}
	return l
}

// in is the text of a cell in so many columns, 0 for no limit.
func (c *Cell) in(limit int) string {
	text := c.Text
	if c.Fit != nil {
		text = c.Fit(limit)
	}
	return Clip(Printable(text), limit)
}

// squeeze narrows the limited columns, and leaves out columns that may be left out, until the last column has the width
// that it needs.
func (t *Table) squeeze(l *layout, need, width int) {
	least := 18
	switch {
	case width < 70:
		least = 11
	case width < 90:
		least = 14
	}
	over := func() int {
		at := t.Indent + need - width
		for i, w := range l.widths[:len(l.widths)-1] {
			if !l.out[i] {
				at += w + 2
			}
		}
		return at
	}
	narrow := func() {
		for i, c := range t.Columns {
			if n := over(); l.limits[i] > 0 && n > 0 && !l.out[i] {
				floor := least
				if c.Least > 0 {
					floor = c.Least
				}
				l.limits[i] = max(min(l.widths[i], l.limits[i])-n, floor)
				l.widths[i] = min(l.widths[i], l.limits[i])
			}
		}
	}
	full := slices.Clone(l.widths)
	limits := slices.Clone(l.limits)
	// What tells least goes before the limited columns become narrower than is pleasant to read.
	floor := least
	least = 30
	if width < 90 {
		least = 24
	}
	for spare := range leastTelling + 1 {
		for i, c := range t.Columns[:len(t.Columns)-1] {
			l.out[i] = c.Spare > 0 && c.Spare <= spare
		}
		copy(l.widths, full)
		copy(l.limits, limits)
		if narrow(); over() <= 0 {
			break
		}
	}
	least = floor
	copy(l.widths, full)
	copy(l.limits, limits)
	for narrow(); over() > 0; narrow() {
		spare := -1
		for i, c := range t.Columns[:len(t.Columns)-1] {
			if c.Spare > 0 && !l.out[i] && (spare < 0 || c.Spare < t.Columns[spare].Spare) {
				spare = i
			}
		}
		if spare < 0 {
			least = 6
			narrow()
			return
		}
		l.out[spare] = true
		copy(l.widths, full)
		copy(l.limits, limits)
	}
}

func (t *Table) line(b []byte, s Style, l layout, r []Cell) []byte {
	at := t.Indent
	b = append(b, strings.Repeat(" ", t.Indent)...)
	for i, c := range r {
		last := i == len(r)-1
		if l.out[i] && !last {
			continue
		}
		if !s.Whole && at >= s.Width {
			break
		}
		var text string
		switch {
		case last && !s.Whole:
			// What is narrower than it might be stays whole; nothing is wider than the terminal.
			room := max(s.Width-at, 1)
			if limit := l.limits[i]; limit > 0 && len(r) == len(t.Columns) {
				room = min(room, limit)
			}
			text = c.in(room)
		case last:
			text = c.in(0)
		default:
			text = c.in(l.limits[i])
		}
		if !s.Whole {
			text = Clip(text, s.Width-at)
		}
		n := Width(text)
		fill := strings.Repeat(" ", max(l.widths[i]-n, 0))
		if !s.Whole {
			fill = fill[:min(len(fill), s.Width-at-n)]
		}
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
			at += max(l.widths[i], n) + 2
		}
	}
	for len(b) > 0 && b[len(b)-1] == ' ' {
		b = b[:len(b)-1]
	}
	return append(b, '\n')
}
