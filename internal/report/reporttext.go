package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// Report is the text of a Report.
func Report(r *analysis.Report, l text.Style) []byte {
	var b []byte
	next := ""
	for i := range r.Processes {
		p := &r.Processes[i]
		if i > 0 {
			b = append(b, '\n')
		}
		b = appendHead(b, r, p, l)
		if i == 0 {
			b = append(b, refusedText(r.Refused, l)...)
		}
		rows := p.Holders
		switch {
		case r.Sort == analysis.SortVMAs:
			b = appendVMAs(b, r, p, l)
		default:
			rows = shownRows(r, rows, l)
			b = append(b, '\n')
			b = rowTable(r, rows, l).Append(b, l)
			b = appendCounts(b, r, p, l)
			if len(p.Advice) > 0 {
				b = appendHints(append(b, '\n'), p.Advice, l)
			}
			if i == 0 {
				next = nextText(r, rows, l)
			}
		}
	}
	if n := r.Together; n != nil {
		b = fmt.Appendf(b, "\n%s together: %s mapped, %s in memory, what they share counted once\n", text.Count(n.Processes, "process", "processes"), l.Size(n.Reserved), l.Measured(n.Resident))
	}
	if len(r.Processes) == 0 {
		b = fmt.Appendf(b, "nothing is mapped at %s\n", momentText(&r.At))
	}
	return append(b, next...)
}

// appendHead appends what is mapped in p altogether.
func appendHead(b []byte, r *analysis.Report, p *analysis.ReportProcess, l text.Style) []byte {
	if r.Mode == "map" {
		return fmt.Appendf(b, "%s %d: %s of addresses, %s usable, %s; %s of the addresses are known\n", processText(p.Name, p.Exe), p.PID,
			l.Paint(text.Number, l.Size(p.Total.Reserved)), l.Size(p.Total.Committed), strings.Replace(residentText(r, p, l), "resident", "in memory", 1), text.Percent(p.Known, p.Total.Reserved))
	}
	when := momentText(&r.At)
	if p.Ended && r.Moment == "end" {
		when = "its end, " + text.When(p.Until)
	}
	peak := ""
	if r.Moment != "peak" || p.Peak != p.Total.Reserved {
		peak = " (peak " + l.Size(p.Peak) + ")"
	}
	b = fmt.Appendf(b, "pid %d %s: %s mapped at %s%s; %s explained\n",
		p.PID, processText(p.Name, p.Exe), l.Paint(text.Number, l.Size(p.Total.Reserved)), when, peak, text.Percent(p.Explained, p.Total.Reserved))
	usable := fmt.Sprintf("%s of it accessible in %s, %s", l.Size(p.Total.Committed), text.Count(p.Total.Mappings, "mapping", "mappings"), residentText(r, p, l))
	return append(b, text.Fold(usable, l.Lines(), "  ")+"\n"...)
}

func residentText(r *analysis.Report, p *analysis.ReportProcess, l text.Style) string {
	if p.ResidentAt == nil || p.Total.Resident == nil {
		return "resident bytes not recorded"
	}
	size := l.Size(*p.Total.Resident) + " resident"
	if n := p.Total.Uncounted; n > 0 {
		size += " (" + l.Size(n) + " were not counted)"
	}
	if n := p.Total.Swapped; n != nil && *n > 0 {
		size += ", " + l.Size(*n) + " swapped"
	}
	if d := *p.ResidentAt - min(r.T, p.Until); d > 50e6 || d < -50e6 {
		size += " (counted at " + text.When(*p.ResidentAt) + ", the nearest snapshot)"
	}
	return size
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
	return append(b, text.Fold(fmt.Sprintf("COUNT: %s in all; what has parts in several rows counts in each of them", text.Count(p.Total.Count, "thing", "things")), l.Lines(), "       ")+"\n"...)
}

// rowTable is the rows of a report.
func rowTable(r *analysis.Report, rows []analysis.Row, l text.Style) *text.Table {
	what := map[analysis.By]string{
		analysis.ByKind: "WHAT", analysis.ByStack: "CALLS, the outermost first", analysis.ByFile: "FILE", analysis.ByThread: "THREAD", analysis.ByFunction: "FUNCTION",
	}[r.By]
	t := &text.Table{Columns: []text.Column{
		{Head: "RESERVED", Right: true, Color: text.Number},
		{Head: "COMMITTED", Right: true, Color: text.Number},
		{Head: "RESIDENT", Right: true, Color: text.Number},
	}}
	for _, c := range r.Columns {
		t.Columns = append(t.Columns, text.Column{Head: strings.ToUpper(string(c)), Right: true, Color: text.Number})
	}
	count, label := text.Column{Head: "COUNT", Right: true}, text.Column{Head: what, Color: text.Kind}
	switch {
	case r.Mode == "map": // nobody saw who made it
		t.Columns = append(t.Columns, text.Column{Head: "FREE", Right: true, Color: text.Number}, label)
	case r.By == analysis.ByKind:
		label.Limit = whatLimit(l.Width)
		t.Columns = append(t.Columns, count, label, text.Column{Head: "WHO"})
	default:
		t.Columns = append(t.Columns, count, label)
	}
	addRows(t, r, rows, 0, l)
	return t
}

func addRows(t *text.Table, r *analysis.Report, rows []analysis.Row, depth int, l text.Style) {
	for i := range rows {
		h := &rows[i]
		label := labelCell(h, depth)
		if h.Smaller > 0 && depth == 0 && r.MinSize > 0 {
			label.Text = "(below " + l.Size(r.MinSize) + ")"
		}
		c := []text.Cell{text.Plain(l.Size(h.Reserved)), text.Plain(l.Size(h.Committed)), text.Plain(counted(&h.Totals, h.Resident, l))}
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
			c = append(c, text.Plain(text.Count(n, "owner", "owners")+":"))
		}
		t.Add(c...)
		addRows(t, r, h.Parts, depth+1, l)
	}
}

// counted is a figure of a snapshot's: "?" where it does not have it, with a "+" where it has it of a part alone.
func counted(t *analysis.Totals, n *int64, l text.Style) string {
	if n == nil || t.Uncounted <= 0 {
		return l.Measured(n)
	}
	return l.Size(*n) + "+"
}

func labelCell(h *analysis.Row, depth int) text.Cell {
	indent := strings.Repeat("  ", depth)
	c := text.Cell{Text: indent + h.Label}
	if depth > 0 {
		c.Color = text.Default
	}
	if len(h.Nested) > 0 {
		c.Fit = func(width int) string { return indent + nestedText(h, max(width-len(indent), min(width, 20))) }
	}
	return c
}

// nestedText joins the calls of a line of the tree. Where they are wider than width (0 means no limit), those
// between the first and the last give way, and then what they made.
func nestedText(h *analysis.Row, width int) string {
	tail := ""
	if len(h.Made) > 0 {
		tail = ": " + strings.Join(h.Made, ", ")
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
	b = append(b, text.Count(p.VMAs, "mapping", "mappings")+" of the kernel's"...)
	if limit := maxMaps(r); limit > 0 {
		b = fmt.Appendf(b, ", %s of vm.max_map_count %d", text.Percent(int64(p.VMAs), limit), limit)
	}
	b = append(b, '\n', '\n')
	t := &text.Table{Columns: []text.Column{
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
			c := []text.Cell{text.Plain(strconv.Itoa(h.VMAs)), text.Plain(text.Percent(int64(h.VMAs), int64(p.VMAs))), text.Plain(strconv.Itoa(h.Mappings)), text.Plain(l.Size(h.Reserved)), labelCell(h, depth)}
			c[4].Fit = nil
			if len(h.Calls) > 0 {
				c = append(c, whoCell(h.Who, l))
			}
			t.Add(c...)
			add(h.Parts, depth+1)
		}
	}
	add(p.Holders, 0)
	return t.Append(b, l)
}

// maxMaps is vm.max_map_count, 0 where it was not recorded.
func maxMaps(r *analysis.Report) int64 {
	if r.MaxMaps == nil {
		return 0
	}
	n, _ := strconv.ParseInt(*r.MaxMaps, 10, 64)
	return n
}

// appendHints appends what would help.
func appendHints(b []byte, list []analysis.Advice, l text.Style) []byte {
	for _, a := range list {
		b = append(b, text.Fold("hint: "+text.Printable(a.Text), l.Lines(), "      ")+"\n"...)
	}
	return b
}

// nextText names the commands that go one step deeper: the largest range, and another list.
func nextText(r *analysis.Report, rows []analysis.Row, l text.Style) string {
	if r.Mode == "map" {
		return fmt.Sprintf("next: vmblame attach %d (who maps more)    vmblame map -o FILE %d (to compare later)\n", r.Processes[0].PID, r.Processes[0].PID)
	}
	b := "next: "
	if x := largest(rows); x != nil {
		b += fmt.Sprintf("vmblame blame %s %x-%x    ", l.Log, uint64(x.Start), uint64(x.End))
	}
	other := analysis.ByStack
	if r.By == analysis.ByStack {
		other = analysis.ByKind
	}
	return b + fmt.Sprintf("vmblame report --by %s %s\n", other, l.Log)
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
