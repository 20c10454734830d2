package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/text"
)

// ReportOptions say what a report lists.
type ReportOptions struct {
	By      By
	Sort    Sort
	MinSize int64 // bytes: lines with less reserved are summed up in one
	VMAs    bool  // numbers of mappings instead of bytes
}

// Sort is the order of a report's lines.
type Sort string

// The values of Sort; all but the name put the largest first.
const (
	SortReserved  Sort = "reserved"
	SortCommitted Sort = "committed"
	SortResident  Sort = "resident"
	SortCount     Sort = "count"
	SortName      Sort = "name"
)

// Report says who holds the address spaces of s.
func (s *Scene) Report(o ReportOptions, l text.Style) []byte {
	var b, next []byte
	for i, p := range s.processes {
		if i > 0 {
			b = append(b, '\n')
		}
		b = s.head(b, p, l)
		if o.VMAs {
			b = s.vmas(b, p, o, l)
			continue
		}
		list := s.shares(p, o.By)
		if !l.Whole && (o.By == ByKind || o.By == "") {
			for _, h := range list {
				if h.parts = alike(h.parts); len(h.parts) == 1 {
					h.who, h.pieces, h.parts = h.parts[0].who, h.parts[0].pieces, nil
				}
			}
		}
		list, hidden := arrange(list, o)
		b = append(b, '\n')
		b = s.table(b, p, list, hidden, o, l)
		if hints := s.advice(p, l); len(hints) > 0 {
			b = appendAdvice(append(b, '\n'), hints, l)
		}
		if i == 0 {
			next = s.next(nil, p, list, o, l)
		}
	}
	if len(s.processes) == 0 {
		b = fmt.Appendf(b, "nothing is mapped at %s\n", s.momentText())
	}
	return append(b, next...)
}

// total sums up the pieces of p.
func (p *process) total() sums {
	var n sums
	for i := range p.pieces {
		n.add(ptr(p.pieces[i].sums()))
	}
	return n
}

// explained is how many bytes of p a traced call or the kernel's exec made.
func (p *process) explained() int64 {
	var n int64
	for i := range p.pieces {
		if c := p.pieces[i].Origin.Cause; c == ledger.FromEvent || c == ledger.Kernel {
			n += int64(p.pieces[i].Len())
		}
	}
	return n
}

// head says what is mapped in p altogether.
func (s *Scene) head(b []byte, p *process, l text.Style) []byte {
	n := p.total()
	when := s.momentText()
	if p.ended && s.Moment.Kind == AtEnd {
		when = "its end, " + text.When(p.until)
	}
	peak := ""
	if len(s.processes) == 1 && s.Moment.Kind != AtPeak {
		peak = " (peak " + l.Size(s.peak) + ")"
	}
	b = fmt.Appendf(b, "pid %d %s: %s mapped at %s%s; %s explained\n",
		p.PID, p.name(), l.Paint(text.Number, l.Size(n.reserved)), when, peak, text.Percent(p.explained(), n.reserved))
	b = fmt.Appendf(b, "%s of it accessible in %s, %s\n", l.Size(n.committed), countText(len(p.pieces), "mapping"), p.residentText(n, s.T, l))
	return b
}

func (p *process) residentText(n sums, t int64, l text.Style) string {
	if p.taken < 0 {
		return "resident bytes not recorded"
	}
	size := l.Size(n.rss) + " resident"
	if n.swap > 0 {
		size += ", " + l.Size(n.swap) + " swapped"
	}
	if d := p.taken - min(t, p.until); d > 50e6 || d < -50e6 {
		size += " (counted at " + text.When(p.taken) + ", the nearest snapshot)"
	}
	return size
}

// table appends the lines of a report.
func (s *Scene) table(b []byte, p *process, list []*share, hidden sums, o ReportOptions, l text.Style) []byte {
	what := "WHAT"
	switch o.By {
	case ByStack:
		what = "CALLS, the outermost first"
	case ByFile:
		what = "FILE"
	case ByThread:
		what = "THREAD"
	case ByFunction:
		what = "FUNCTION"
	}
	g := &text.Table{Columns: []text.Column{
		{Head: "RESERVED", Right: true, Color: text.Number},
		{Head: "COMMITTED", Right: true, Color: text.Number},
		{Head: "RESIDENT", Right: true, Color: text.Number},
		{Head: "COUNT", Right: true},
		{Head: what, Color: text.Kind},
	}}
	kinds := o.By == ByKind || o.By == ""
	if kinds {
		g.Columns[4].Limit = whatLimit(l.Width)
		g.Columns = append(g.Columns, text.Column{Head: "WHO"})
	}
	resident := p.taken >= 0
	figures := func(n *sums, depth int) []text.Cell {
		r := "-"
		if resident {
			r = l.Size(n.rss)
		}
		return []text.Cell{text.Plain(l.Size(n.reserved)), text.Plain(l.Size(n.committed)), text.Plain(r), text.Plain(strconv.Itoa(max(n.things, 1)))}
	}
	var lines func(list []*share, depth int)
	lines = func(list []*share, depth int) {
		for _, h := range list {
			c := figures(&h.sums, depth)
			indent := strings.Repeat("  ", depth)
			label := text.Cell{Text: indent + h.label, Color: shade(depth)}
			if len(h.calls) > 0 {
				label.Fit = func(width int) string { return indent + h.callsText(max(width-len(indent), min(width, 20))) }
			}
			c = append(c, label)
			switch {
			case kinds && len(h.who.Calls) > 0:
				c = append(c, whoCell(h.who))
			case kinds && len(h.parts) > 0:
				c = append(c, text.Plain(countText(len(h.parts)-btoi(h.hidden > 0)+h.hidden, "owner")+":"))
			}
			g.Add(c...)
			lines(h.parts, depth+1)
		}
	}
	lines(list, 0)
	if hidden.pieces > 0 {
		g.Add(append(figures(&hidden, 0), text.Plain("(below "+l.Size(o.MinSize)+")"))...)
	}
	return g.Append(b, l)
}

// whatLimit is how wide the column of kinds may be.
func whatLimit(width int) int {
	if width < 100 {
		return 28
	}
	return max(42, (width-42)*9/20)
}

func shade(depth int) string {
	if depth > 0 {
		return text.Default
	}
	return ""
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// vmas lists how many mappings each owner has, beside the kernel's limit.
func (s *Scene) vmas(b []byte, p *process, o ReportOptions, l text.Style) []byte {
	rows := kernelRows(p.pieces)
	limit := s.maxMaps()
	b = fmt.Appendf(b, "%s of the kernel's", countText(len(rows), "mapping"))
	if limit > 0 {
		b = fmt.Appendf(b, ", %s of vm.max_map_count %d", text.Percent(int64(len(rows)), limit), limit)
	}
	b = append(b, '\n', '\n')
	// A row that is several mappings counts for the first of them.
	count := map[*piece]int{}
	for _, r := range rows {
		count[&p.pieces[r.first]]++
	}
	g := &text.Table{Columns: []text.Column{
		{Head: "VMAS", Right: true, Color: text.Number}, {Head: "SHARE", Right: true, Color: text.Number}, {Head: "MAPPINGS", Right: true},
		{Head: "RESERVED", Right: true, Color: text.Number}, {Head: "WHAT", Color: text.Kind, Limit: whatLimit(l.Width)}, {Head: "WHO"},
	}}
	list := s.shares(p, o.By)
	vmasOf := map[*share]int{}
	var sum func(h *share) int
	sum = func(h *share) int {
		n := 0
		for _, x := range h.pieces {
			n += count[x]
		}
		for _, q := range h.parts {
			n += sum(q)
		}
		vmasOf[h] = n
		return n
	}
	for _, h := range list {
		sum(h)
	}
	var lines func(list []*share, depth int)
	lines = func(list []*share, depth int) {
		slices.SortStableFunc(list, func(a, b *share) int {
			if vmasOf[a] != vmasOf[b] {
				return vmasOf[b] - vmasOf[a]
			}
			return strings.Compare(a.label, b.label)
		})
		for _, h := range list {
			if h.reserved < o.MinSize {
				continue
			}
			c := []text.Cell{text.Plain(strconv.Itoa(vmasOf[h])), text.Plain(text.Percent(int64(vmasOf[h]), int64(len(rows)))), text.Plain(strconv.Itoa(h.sums.pieces)), text.Plain(l.Size(h.reserved)),
				{Text: strings.Repeat("  ", depth) + h.label, Color: shade(depth)}}
			if len(h.who.Calls) > 0 {
				c = append(c, whoCell(h.who))
			}
			g.Add(c...)
			lines(h.parts, depth+1)
		}
	}
	lines(list, 0)
	return g.Append(b, l)
}

// next names the commands that go one step deeper: the largest holder's range, and another list.
func (s *Scene) next(b []byte, p *process, list []*share, o ReportOptions, l text.Style) []byte {
	var largest *piece
	for h := range list {
		if x := list[h].largest(); x != nil {
			largest = x
			break
		}
	}
	b = append(b, "next: "...)
	if largest != nil {
		b = fmt.Appendf(b, "vmblame blame %s %x-%x    ", l.Log, largest.Start, largest.End)
	}
	other := "stack"
	if o.By == ByStack {
		other = "kind"
	}
	return fmt.Appendf(b, "vmblame report --by %s %s\n", other, l.Log)
}

// largest is the largest piece of a share, nil for none.
func (h *share) largest() *piece {
	var most *piece
	for _, x := range h.pieces {
		if most == nil || x.Len() > most.Len() {
			most = x
		}
	}
	for _, q := range h.parts {
		if x := q.largest(); x != nil && (most == nil || x.Len() > most.Len()) {
			most = x
		}
	}
	return most
}

// maxMaps is vm.max_map_count, 0 where it was not recorded.
func (s *Scene) maxMaps() int64 {
	n, err := strconv.ParseInt(s.environment("max_map_count"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// environment is a value of the header's, "" where it is unset or not recorded.
func (s *Scene) environment(name string) string {
	if s.header == nil {
		return ""
	}
	if v := s.header.Environment[name]; v != nil {
		return *v
	}
	return ""
}
