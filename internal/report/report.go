package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
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
func (s *Scene) Report(o ReportOptions, l Look) []byte {
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

// momentText names the moment of s: "the end, 4.2 s", "the peak, 1.5 s", "0.5 s", "event 12".
func (s *Scene) momentText() string {
	switch s.Moment.Kind {
	case AtPeak:
		return "the peak, " + whenText(s.T)
	case AtTime:
		return whenText(s.Moment.T)
	case AtSeq:
		return "event " + strconv.FormatUint(s.Moment.Seq, 10) + ", " + whenText(s.T)
	}
	if s.Cut {
		return "the cut, " + whenText(s.T)
	}
	return "the end, " + whenText(s.T)
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
func (s *Scene) head(b []byte, p *process, l Look) []byte {
	n := p.total()
	when := s.momentText()
	if p.ended && s.Moment.Kind == AtEnd {
		when = "its end, " + whenText(p.until)
	}
	peak := ""
	if len(s.processes) == 1 && s.Moment.Kind != AtPeak {
		peak = " (peak " + l.size(s.peak) + ")"
	}
	b = fmt.Appendf(b, "pid %d %s: %s mapped at %s%s; %s explained\n",
		p.PID, p.name(), l.paint(colorNumber, l.size(n.reserved)), when, peak, percentText(p.explained(), n.reserved))
	b = fmt.Appendf(b, "%s of it accessible in %s, %s\n", l.size(n.committed), countText(len(p.pieces), "mapping"), p.residentText(n, s.T, l))
	return b
}

func (p *process) residentText(n sums, t int64, l Look) string {
	if p.taken < 0 {
		return "resident bytes not recorded"
	}
	text := l.size(n.rss) + " resident"
	if n.swap > 0 {
		text += ", " + l.size(n.swap) + " swapped"
	}
	if d := p.taken - min(t, p.until); d > 50e6 || d < -50e6 {
		text += " (counted at " + whenText(p.taken) + ", the nearest snapshot)"
	}
	return text
}

// table appends the lines of a report.
func (s *Scene) table(b []byte, p *process, list []*share, hidden sums, o ReportOptions, l Look) []byte {
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
	g := &grid{columns: []column{
		{head: "RESERVED", right: true, color: colorNumber},
		{head: "COMMITTED", right: true, color: colorNumber},
		{head: "RESIDENT", right: true, color: colorNumber},
		{head: "COUNT", right: true},
		{head: what, color: colorKind},
	}}
	kinds := o.By == ByKind || o.By == ""
	if kinds {
		g.columns[4].limit = whatLimit(l.Width)
		g.columns = append(g.columns, column{head: "WHO"})
	}
	resident := p.taken >= 0
	figures := func(n *sums, depth int) []cell {
		r := "-"
		if resident {
			r = l.size(n.rss)
		}
		return []cell{words(l.size(n.reserved)), words(l.size(n.committed)), words(r), words(strconv.Itoa(max(n.things, 1)))}
	}
	var lines func(list []*share, depth int)
	lines = func(list []*share, depth int) {
		for _, h := range list {
			c := figures(&h.sums, depth)
			indent := strings.Repeat("  ", depth)
			label := cell{text: indent + h.label, color: shade(depth)}
			if len(h.calls) > 0 {
				label.fit = func(width int) string { return indent + h.callsText(max(width-len(indent), min(width, 20))) }
			}
			c = append(c, label)
			switch {
			case kinds && len(h.who.calls) > 0:
				c = append(c, cell{who: h.who})
			case kinds && len(h.parts) > 0:
				c = append(c, words(countText(len(h.parts)-btoi(h.hidden > 0)+h.hidden, "owner")+":"))
			}
			g.add(c...)
			lines(h.parts, depth+1)
		}
	}
	lines(list, 0)
	if hidden.pieces > 0 {
		g.add(append(figures(&hidden, 0), words("(below "+l.size(o.MinSize)+")"))...)
	}
	return g.appendText(b, l)
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
		return colorPlain
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
func (s *Scene) vmas(b []byte, p *process, o ReportOptions, l Look) []byte {
	rows := kernelRows(p.pieces)
	limit := s.maxMaps()
	b = fmt.Appendf(b, "%s of the kernel's", countText(len(rows), "mapping"))
	if limit > 0 {
		b = fmt.Appendf(b, ", %s of vm.max_map_count %d", percentText(int64(len(rows)), limit), limit)
	}
	b = append(b, '\n', '\n')
	// A row that is several mappings counts for the first of them.
	count := map[*piece]int{}
	for _, r := range rows {
		count[&p.pieces[r.first]]++
	}
	g := &grid{columns: []column{
		{head: "VMAS", right: true, color: colorNumber}, {head: "SHARE", right: true, color: colorNumber}, {head: "MAPPINGS", right: true},
		{head: "RESERVED", right: true, color: colorNumber}, {head: "WHAT", color: colorKind, limit: whatLimit(l.Width)}, {head: "WHO"},
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
			c := []cell{words(strconv.Itoa(vmasOf[h])), words(percentText(int64(vmasOf[h]), int64(len(rows)))), words(strconv.Itoa(h.sums.pieces)), words(l.size(h.reserved)),
				{text: strings.Repeat("  ", depth) + h.label, color: shade(depth)}}
			if len(h.who.calls) > 0 {
				c = append(c, cell{who: h.who})
			}
			g.add(c...)
			lines(h.parts, depth+1)
		}
	}
	lines(list, 0)
	return g.appendText(b, l)
}

// next names the commands that go one step deeper: the largest holder's range, and another list.
func (s *Scene) next(b []byte, p *process, list []*share, o ReportOptions, l Look) []byte {
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
