package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/text"
)

// Report returns the text of a Report. Of several processes it lists all in a table first, and then shows what each
// holds. If there are many, it shows only the first one and the largest others; on a terminal only the largest.
func Report(r *analysis.Report, l text.Style) []byte {
	var b []byte
	if len(r.Processes) == 0 {
		return append(b, l.Say("nothing is mapped at %s", momentText(&r.At, l))+"\n"...)
	}
	if n := r.Together; n != nil {
		t := l.Say("%s together: %s mapped, %s in memory, what they share counted once", l.Count(n.Processes, "process", "processes"), l.Size(n.Reserved), l.Measured(n.Resident))
		b = append(b, text.Fold(t, l.Lines(), "  ")+"\n"...)
	}
	shown := r.Processes
	if len(shown) > 1 {
		rows := 0
		if l.Rows > 0 {
			rows = max(l.Rows/2, 3) // the other half is for one of them
		}
		b = append(processTable(r.Processes, rows, l.Word("--all shows them"), l).Append(b, l), '\n')
		shown = inFull(shown, l, func(p *analysis.ReportProcess) int64 { return p.Peak })
	}
	next := ""
	for i := range shown {
		p := &shown[i]
		if i > 0 {
			b = append(b, '\n')
		}
		if r.Only != "" && p.Total.Mappings == 0 && len(p.Advised) == 0 {
			t := l.Say("pid %d %s, at %s: nothing matches %s", p.PID, processText(p.Name, p.Exe), atText(r, p, l), text.Printable(r.Only))
			if b = append(b, text.Fold(t, l.Lines(), "  ")+"\n"...); i == 0 {
				next = text.Commands(l.Word("next: "), l.Lines(), "vmblame report "+l.Log)
			}
			continue
		}
		b = appendHead(b, r, p, l)
		if i == 0 {
			b = append(b, refusedText(r.Refused, l)...)
		}
		b = append(b, advisedText(p.Advised, l)...)
		rows := p.Holders
		switch {
		case r.Sort == analysis.SortVMAs:
			b = appendVMAs(b, r, p, l)
		default:
			rows = shownRows(r, rows, l)
			b = append(b, '\n')
			b = rowTable(r, p, topRows(rows, l.Rows), l).Append(b, l)
			b = appendCounts(b, r, p, l)
			if len(p.Advice) > 0 {
				b = appendHints(append(b, '\n'), p.Advice, l)
			}
			if i == 0 {
				next = nextText(r, p, rows, l)
			}
		}
	}
	if more := len(r.Processes) - len(shown); more > 0 {
		t := l.Say("%s not shown in full: --pid N shows one, --all shows them", l.Count(more, "process", "processes"))
		b = append(b, "\n"+text.Fold(t, l.Lines(), "  ")+"\n"...)
	}
	return append(b, next...)
}

// inFull returns the processes that are shown in full: all of them, or the first one and the largest others. If there
// is room for only one, it is the largest.
func inFull[P any](list []P, l text.Style, size func(*P) int64) []P {
	n := l.Processes
	switch {
	case n == 0 || len(list) <= n:
		return list
	case n > 1:
		return list[:n]
	}
	most := 0
	for i := range list {
		if size(&list[i]) > size(&list[most]) {
			most = i
		}
	}
	return list[most : most+1]
}

// topRows returns the rows, with their parts, that fit into a number of lines; 0 is no limit. The others are summed
// up in the last row.
func topRows(rows []analysis.Row, lines int) []analysis.Row {
	if lines <= 0 || linesOf(rows) <= lines {
		return rows
	}
	rows = slices.Clone(rows)
	used, n := 0, 0
	for n < len(rows) && used < lines-1 {
		h := &rows[n]
		h.Parts = firstRows(h.Parts, min(summaryParts, max(lines-used-3, 0)))
		used += 1 + linesOf(h.Parts)
		n++
	}
	if n == len(rows) {
		return rows
	}
	rest := sumRow(rows[n:])
	rest.Label = fmt.Sprintf("(%d more: --all)", rest.Smaller)
	return append(rows[:n], rest)
}

// linesOf is how many lines rows take.
func linesOf(rows []analysis.Row) int {
	n := len(rows)
	for i := range rows {
		n += linesOf(rows[i].Parts)
	}
	return n
}

// appendCounts explains why the counts of the rows add up to more than there are objects.
func appendCounts(b []byte, r *analysis.Report, p *analysis.ReportProcess, l text.Style) []byte {
	sum := 0
	for i := range p.Holders {
		sum += p.Holders[i].Count
	}
	if r.Mode == "map" || sum <= p.Total.Count {
		return b
	}
	return append(b, text.Fold(l.Say("COUNT: %s in all; what has parts in several rows counts in each of them", l.Count(p.Total.Count, "thing", "things")), l.Lines(), "       ")+"\n"...)
}

// rowTable is the rows of a report.
func rowTable(r *analysis.Report, p *analysis.ReportProcess, rows []analysis.Row, l text.Style) *text.Table {
	what := map[analysis.By]string{
		analysis.ByKind: "WHAT", analysis.ByStack: "CALLS, the outermost first", analysis.ByFile: "FILE", analysis.ByThread: "THREAD", analysis.ByFunction: "FUNCTION",
	}[r.By]
	t := &text.Table{Columns: []text.Column{
		{Head: "RESERVED", Right: true, Color: text.Number},
		{Head: "SHARE", Right: true, Spare: 3},
		{Head: "COMMITTED", Right: true, Color: text.Number, Spare: 2},
		{Head: "RESIDENT", Right: true, Color: text.Number},
	}}
	for _, c := range r.Columns {
		t.Columns = append(t.Columns, text.Column{Head: strings.ToUpper(string(c)), Right: true, Color: text.Number, Spare: 4})
	}
	count, label := text.Column{Head: "COUNT", Right: true, Spare: 1}, text.Column{Head: what, Color: text.Kind}
	switch {
	case r.Mode == "map": // nobody saw who made it
		label.Limit = 0
		t.Columns = append(t.Columns, text.Column{Head: "FREE", Right: true, Color: text.Number}, label)
	case r.By == analysis.ByKind:
		label.Limit = whatLimit(l.Width)
		t.Columns = append(t.Columns, count, label, text.Column{Head: "WHO"})
	default:
		t.Columns = append(t.Columns, count, label)
	}
	addRows(t, r, p, rows, 0, l)
	return t
}

func addRows(t *text.Table, r *analysis.Report, p *analysis.ReportProcess, rows []analysis.Row, depth int, l text.Style) {
	for i := range rows {
		h := &rows[i]
		label := labelCell(h, r.By, depth, l)
		c := []text.Cell{text.Plain(l.Size(h.Reserved)), text.Plain(text.Share(h.Reserved, p.Total.Reserved)), text.Plain(l.Size(h.Committed)), text.Plain(counted(&h.Totals, h.Resident, l))}
		for _, column := range r.Columns {
			c = append(c, text.Plain(counted(&h.Totals, column.Of(&h.Totals), l)))
		}
		count := strconv.Itoa(h.Count)
		if r.Mode == "map" {
			if count = ""; h.Free != nil {
				count = l.Size(*h.Free)
			}
		}
		c = append(c, text.Plain(count), label)
		switch {
		case r.Mode == "map":
		case r.By == analysis.ByKind && len(h.Calls) > 0:
			c = append(c, whoCell(h.Who, l))
		case r.By == analysis.ByKind && len(h.Parts) > 0:
			n := len(h.Parts)
			if last := &h.Parts[n-1]; last.Smaller > 0 {
				n += last.Smaller - 1
			}
			c = append(c, text.Plain(l.Say("%s:", l.Count(n, "owner", "owners"))))
		}
		t.Add(c...)
		addRows(t, r, p, h.Parts, depth+1, l)
	}
}

// counted is a figure of a snapshot's: "?" where it does not have it, with a "+" where it has it of a part alone.
func counted(t *analysis.Totals, n *int64, l text.Style) string {
	if n == nil || t.Uncounted <= 0 {
		return l.Measured(n)
	}
	return l.Size(*n) + "+"
}

func labelCell(h *analysis.Row, by analysis.By, depth int, l text.Style) text.Cell {
	indent := strings.Repeat("  ", depth)
	label := h.Label
	// What stands first is the name of a file, of a thread or of a function where it is listed by that, and so is what stands
	// below a heading where the program itself gave the name.
	words := ""
	if by == analysis.ByFunction && depth == 0 {
		words, _ = whoWords(analysis.Who{Calls: []string{label}}, l)
	}
	name := by != analysis.ByKind && depth == 0 && label != "no file" && !strings.HasPrefix(label, "no thread: ") || by == analysis.ByKind && depth > 0 && h.Kind == classify.Named && h.Count == 1
	switch {
	case len(h.Nested) > 0: // calls
	case words != "":
		label = words
	case !name || h.Smaller > 0:
		label = l.Told(label)
	}
	c := namedCell(indent + label)
	if depth > 0 {
		c.Color = text.Default
	}
	if len(h.Nested) > 0 {
		c.Fit = func(width int) string { return indent + nestedText(h, max(width-len(indent), min(width, 20)), l) }
	}
	return c
}

// nestedText joins the calls of a line of the tree. Where they are wider than width (0 means no limit), those
// between the first and the last give way, and then what they made.
func nestedText(h *analysis.Row, width int, l text.Style) string {
	tail := ""
	if len(h.Made) > 0 {
		made := make([]string, len(h.Made))
		for i, m := range h.Made {
			made[i] = l.Told(m)
		}
		tail = l.Word(": ") + strings.Join(made, ", ")
	}
	n := len(h.Nested)
	line := strings.Join(h.Nested, " > ") + tail
	if width <= 0 || text.Width(line) <= width {
		return line
	}
	last := h.Nested[n-1] + tail
	for keep := n - 2; keep > 0; keep-- {
		if t := strings.Join(h.Nested[:keep], " > ") + " > ... > " + last; text.Width(t) <= width {
			return t
		}
	}
	if t := "... > " + last; n > 1 && (text.Width(t) <= width || tail == "") {
		return text.Clip(t, width)
	}
	return text.Clip(last, width)
}

// whatLimit is how wide the column of kinds may be.
func whatLimit(width int) int {
	if width < 100 {
		return 28
	}
	return max(42, (width-42)*9/20)
}

// appendVMAs lists how many mappings each owner has, beside the kernel's limit.
func appendVMAs(b []byte, r *analysis.Report, p *analysis.ReportProcess, l text.Style) []byte {
	t := l.Say("%s of the kernel's", l.Count(p.VMAs, "mapping", "mappings"))
	if limit := maxMaps(r); limit > 0 {
		t += l.Say(", %s of vm.max_map_count %d", text.Percent(int64(p.VMAs), limit), limit)
	}
	b = append(b, text.Fold(t, l.Lines(), "  ")+"\n\n"...)
	table := &text.Table{Columns: []text.Column{
		{Head: "VMAS", Right: true, Color: text.Number}, {Head: "SHARE", Right: true, Color: text.Number}, {Head: "MAPPINGS", Right: true},
		{Head: "RESERVED", Right: true, Color: text.Number}, {Head: "WHAT", Color: text.Kind, Limit: whatLimit(l.Width)}, {Head: "WHO"},
	}}
	var add func(rows []analysis.Row, depth int)
	add = func(rows []analysis.Row, depth int) {
		for i := range rows {
			h := &rows[i]
			if h.Smaller > 0 {
				continue
			}
			c := []text.Cell{text.Plain(strconv.Itoa(h.VMAs)), text.Plain(text.Percent(int64(h.VMAs), int64(p.VMAs))), text.Plain(strconv.Itoa(h.Mappings)), text.Plain(l.Size(h.Reserved)), labelCell(h, r.By, depth, l)}
			c[4].Fit = nil
			if len(h.Calls) > 0 {
				c = append(c, whoCell(h.Who, l))
			}
			table.Add(c...)
			add(h.Parts, depth+1)
		}
	}
	add(p.Holders, 0)
	return table.Append(b, l)
}

// maxMaps is vm.max_map_count, 0 where it was not recorded.
func maxMaps(r *analysis.Report) int64 {
	if r.MaxMaps == nil {
		return 0
	}
	n, _ := strconv.ParseInt(*r.MaxMaps, 10, 64)
	return n
}

// appendHints appends the advice on how to use less memory.
func appendHints(b []byte, list []analysis.Advice, l text.Style) []byte {
	for _, a := range list {
		b = append(b, text.Fold(l.Say("hint: %s", l.Told(text.Printable(a.Text))), l.Lines(), "      ")+"\n"...)
	}
	return b
}

// largest is the largest range of the first row that has one, nil for none.
func largest(rows []analysis.Row) *analysis.Range {
	for i := range rows {
		if x := largestOf(&rows[i]); x != nil {
			return x
		}
	}
	return nil
}

// largestOf is the largest range of a row, nil for none.
func largestOf(h *analysis.Row) *analysis.Range {
	var most *analysis.Range
	for i := range h.Ranges {
		if x := &h.Ranges[i]; most == nil || x.Bytes > most.Bytes {
			most = x
		}
	}
	for i := range h.Parts {
		if x := largestOf(&h.Parts[i]); x != nil && (most == nil || x.Bytes > most.Bytes) {
			most = x
		}
	}
	return most
}
