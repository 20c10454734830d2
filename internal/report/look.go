package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Look says how the text of a view looks.
type Look struct {
	Width int  // columns of the terminal
	Color bool // with ANSI colours
	Whole bool // nothing is elided, however wide lines get
	Bytes bool // sizes are exact numbers of bytes
	Log   string
}

// size writes a number of bytes.
func (l Look) size(n int64) string {
	if l.Bytes {
		return strconv.FormatInt(n, 10)
	}
	if n < 0 {
		return "-" + bytesText(-n)
	}
	return bytesText(n)
}

// change writes a difference in bytes.
func (l Look) change(n int64) string {
	if n > 0 {
		return "+" + l.size(n)
	}
	return l.size(n)
}

func (l Look) paint(color, text string) string {
	if !l.Color || color == "" || text == "" {
		return text
	}
	return color + text + colorOff
}

// colorPlain is what is written in the terminal's own colour although its column has another.
const colorPlain = "\x1b[39m"

// A cell is one field of a grid. Where who is set the text is as long as there is room.
type cell struct {
	text  string
	who   chain
	color string
	full  bool                   // the row is this text alone, without columns
	fit   func(width int) string // where set, of a last cell: the text for so many columns, 0 for no limit
}

// A column of a grid.
type column struct {
	head  string
	right bool
	color string
	limit int // columns at most where lines are to fit, 0 for no limit
}

// A grid is rows of cells in aligned columns, the last of which takes what room is left.
type grid struct {
	columns []column
	rows    [][]cell
	indent  int
	before  []int // how wide the columns were in the text before this one, nil where there is none
}

func (g *grid) add(cells ...cell) {
	for i := range cells {
		cells[i].text = Printable(cells[i].text)
	}
	g.rows = append(g.rows, cells)
}

// banner adds lines of text between the rows.
func (g *grid) banner(text string) { g.rows = append(g.rows, []cell{{text: text, full: true}}) }

func words(s string) cell { return cell{text: s} }

// appendText appends the grid, with a head unless no column has one.
func (g *grid) appendText(b []byte, l Look) []byte {
	widths := make([]int, len(g.columns))
	heads := false
	for i, c := range g.columns {
		widths[i] = utf8.RuneCountInString(c.head)
		heads = heads || c.head != ""
	}
	if g.before != nil {
		copy(widths, g.before)
		heads = false
	}
	for _, r := range g.rows {
		if r[0].full {
			continue
		}
		for i := range r[:min(len(r), len(g.columns))] {
			c := &r[i]
			if limit := g.columns[i].limit; limit > 0 && !l.Whole {
				c.text = clip(c.text, limit)
			}
			// The last cell of a line needs no room.
			if i < len(r)-1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
			}
		}
	}
	if !l.Whole {
		g.squeeze(widths, l.Width)
	}
	g.before = widths
	if heads {
		var head []cell
		for _, c := range g.columns {
			head = append(head, cell{text: c.head, color: colorHead})
		}
		b = g.line(b, l, widths, head)
	}
	for _, r := range g.rows {
		if r[0].full {
			b = append(append(b, r[0].text...), '\n')
			continue
		}
		b = g.line(b, l, widths, r)
	}
	return b
}

// least is how narrow a column that may be cut gets for the sake of the last one.
func least(width int) int {
	if width < 90 {
		return 11
	}
	return 18
}

// squeeze cuts the column with a limit so that what must stay of the last one has room.
func (g *grid) squeeze(widths []int, width int) {
	need, at := 0, g.indent
	for _, r := range g.rows {
		if last := r[len(r)-1]; len(r) == len(g.columns) && !r[0].full {
			text := last.text
			if len(last.who.calls) > 0 {
				text = last.who.text(1)
			}
			need = max(need, min(utf8.RuneCountInString(text), min(30, width/3)))
		}
	}
	for _, w := range widths[:len(widths)-1] {
		at += w + 2
	}
	for i, c := range g.columns {
		if over := at + need - width; c.limit > 0 && over > 0 {
			cut := max(widths[i]-over, least(width))
			at -= max(widths[i]-cut, 0)
			widths[i] = min(widths[i], cut)
			for _, r := range g.rows {
				if i < len(r) && !r[0].full {
					r[i].text = clip(r[i].text, cut)
				}
			}
		}
	}
}

func (g *grid) line(b []byte, l Look, widths []int, r []cell) []byte {
	at := g.indent
	b = append(b, strings.Repeat(" ", g.indent)...)
	for i, c := range r {
		last := i == len(r)-1
		text := c.text
		if len(c.who.calls) > 0 {
			room := 0
			if !l.Whole {
				room = max(l.Width-at, 12)
			}
			text = Printable(c.who.text(room))
		} else if c.fit != nil {
			room := 0
			if !l.Whole {
				room = max(l.Width-at, 12)
			}
			text = Printable(c.fit(room))
		} else if last && !l.Whole && l.Width > 0 {
			text = clip(text, max(l.Width-at, 12))
		}
		n := utf8.RuneCountInString(text)
		fill := strings.Repeat(" ", max(widths[i]-n, 0))
		color := c.color
		if color == "" {
			color = g.columns[i].color
		}
		switch {
		case g.columns[i].right:
			b = append(b, fill+l.paint(color, text)...)
		case last:
			b = append(b, l.paint(color, text)...)
		default:
			b = append(b, l.paint(color, text)+fill...)
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

// fold breaks text into lines of at most width columns, those after the first behind indent.
func fold(text string, width int, indent string) string {
	var out strings.Builder
	at := 0
	for i, w := range strings.Fields(text) {
		n := utf8.RuneCountInString(w)
		switch {
		case i == 0:
		case width > 0 && at+1+n > width:
			out.WriteString("\n" + indent)
			at = utf8.RuneCountInString(indent)
		default:
			out.WriteByte(' ')
			at++
		}
		out.WriteString(w)
		at += n
	}
	return out.String()
}

// whenText writes a time since the recording began: "0.0041 s", "12.3 s".
func whenText(ns int64) string {
	s := float64(ns) / 1e9
	digits := 4
	switch {
	case s >= 100:
		digits = 1
	case s >= 10:
		digits = 2
	}
	return strconv.FormatFloat(s, 'f', digits, 64) + " s"
}
