package report

import (
	"fmt"
	"sort"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

// A Blame is the question who mapped what: an address, a range, or the rows of a text.
type Blame struct {
	Range  vm.Range // where Rows is nil; one byte long: an address
	Rows   []MapRow
	PID    int  // that the text names, 0 for none
	Stacks bool // every mapping with its whole stack
}

// Blame answers q.
func (s *Scene) Blame(q Blame, l text.Style) []byte {
	var b []byte
	list := s.asked(&q)
	for i, p := range list {
		if i > 0 {
			b = append(b, '\n')
		}
		if len(s.processes) > 1 || q.Rows != nil {
			b = fmt.Appendf(b, "pid %d %s, at %s\n", p.PID, p.name(), s.momentText())
		}
		if q.Rows == nil && q.Range.Len() == 1 {
			b = s.blameAddress(b, p, q.Range.Start, l)
			continue
		}
		b = s.blameRows(b, p, s.rows(p, &q), q.Stacks, l)
	}
	if len(list) == 0 {
		b = fmt.Appendf(b, "%s: not mapped at %s\n", q.name(), s.momentText())
		b = fmt.Appendf(b, "next: vmblame history %s 0x%x\n", l.Log, q.Range.Start)
	}
	return b
}

// name is what q asks about.
func (q *Blame) name() string {
	if q.Range.Len() == 1 {
		return fmt.Sprintf("0x%x", q.Range.Start)
	}
	return q.Range.String()
}

// asked returns the processes that q is about: of a text the one it fits best, else all that have something
// there.
func (s *Scene) asked(q *Blame) []*process {
	var list []*process
	best, most := (*process)(nil), -1
	for _, p := range s.processes {
		if q.Rows == nil {
			if from, to := p.overlapping(q.Range); from < to {
				list = append(list, p)
			}
			continue
		}
		n := 0
		for i := range q.Rows {
			if e, ok := p.Ledger.At(q.Rows[i].Start); ok && (q.Rows[i].Perms == "" || e.Perms.String() == q.Rows[i].Perms) {
				n += 2
			}
		}
		if p.PID == q.PID {
			n += 1 + len(q.Rows)
		}
		if n > most {
			best, most = p, n
		}
	}
	if best != nil {
		list = append(list, best)
	}
	return list
}

// overlapping returns the pieces [from, to) that share bytes with r.
func (p *process) overlapping(r vm.Range) (from, to int) {
	from = sort.Search(len(p.pieces), func(i int) bool { return p.pieces[i].End > r.Start })
	to = from + sort.Search(len(p.pieces)-from, func(i int) bool { return p.pieces[from+i].Start >= r.End })
	return from, to
}

// rows are the rows that q asks about; for a range those that the kernel shows there.
func (s *Scene) rows(p *process, q *Blame) []MapRow {
	if q.Rows != nil {
		return q.Rows
	}
	var rows []MapRow
	for _, r := range kernelRows(p.pieces) {
		if r.Overlaps(q.Range) {
			x := r.Intersect(q.Range)
			rows = append(rows, MapRow{Range: x, Perms: r.Perms.String(), Resident: -1, Path: r.File.Path})
		}
	}
	return rows
}

func (s *Scene) blameRows(b []byte, p *process, rows []MapRow, stacks bool, l text.Style) []byte {
	g := &text.Table{Indent: 2, Columns: []text.Column{
		{Head: "START"}, {Head: "SIZE", Right: true, Color: text.Number}, {Head: "RESIDENT", Right: true, Color: text.Number},
		{Head: "WHAT", Color: text.Kind, Limit: whatLimit(l.Width) - 8},
	}}
	// A narrow terminal has no room for the time.
	times := l.Whole || l.Width >= 125
	if times {
		g.Columns = append(g.Columns, text.Column{Head: "WHEN", Right: true})
	}
	g.Columns = append(g.Columns, text.Column{Head: "THREAD"}, text.Column{Head: "WHO"})
	for i := range rows {
		r := &rows[i]
		from, to := p.overlapping(r.Range)
		var mapped uint64
		var res figures
		for _, x := range p.pieces[from:to] {
			mapped += x.Intersect(r.Range).Len()
			res.add(x.part(r.Range))
		}
		g.Add(text.Banner(s.rowText(p, r, to-from, mapped, res.rss, l))...)
		for j := from; j < to; j++ {
			x := &p.pieces[j]
			in := x.Intersect(r.Range)
			when, thread := "", ""
			if e := x.maker; e != nil {
				when, thread = text.When(e.T), s.thread(e.TID, e.T)
			}
			resident := "-"
			if p.taken >= 0 {
				resident = l.Size(x.part(in).rss)
			}
			row := []text.Cell{text.Plain(fmt.Sprintf("%x", in.Start)), text.Plain(l.Size(int64(in.Len()))), text.Plain(resident), text.Plain(kindDetail(x))}
			if times {
				row = append(row, text.Plain(when))
			}
			g.Add(append(row, text.Plain(thread), whoCell(s.who(p, x)))...)
			if stacks && x.maker != nil && x.maker.Stack != 0 {
				g.Add(text.Banner(strings.TrimRight(string(s.stackText(nil, x.maker.Stack)), "\n"))...)
			}
		}
	}
	b = g.Append(b, l)
	if len(rows) > 0 {
		b = fmt.Appendf(b, "next: vmblame history %s 0x%x\n", l.Log, rows[0].Start)
	}
	return b
}

// rowText is the line above the mappings of a row: "7ff… rw-p 11.5 MiB, resident 3.2 MiB: one row for the
// kernel, 4 mappings".
func (s *Scene) rowText(p *process, r *MapRow, n int, mapped uint64, rss int64, l text.Style) string {
	t := fmt.Sprintf("%x-%x", r.Start, r.End)
	if r.Perms != "" {
		t += " " + text.Printable(r.Perms)
	}
	t += " " + l.Size(int64(r.Len()))
	switch {
	case r.Resident >= 0:
		t += ", resident " + l.Size(r.Resident)
	case p.taken >= 0 && n > 0:
		t += ", resident " + l.Size(rss)
	}
	if r.Path != "" {
		t += " " + text.Printable(r.Path)
	}
	switch {
	case n == 0:
		return t + ": not mapped at " + s.momentText()
	case mapped < r.Len():
		return t + ": " + l.Size(int64(r.Len()-mapped)) + " of it not mapped at " + s.momentText()
	case n == 1:
		return t
	}
	return t + ": one row for the kernel, " + countText(n, "mapping")
}

// blameAddress tells all about the mapping at one address.
func (s *Scene) blameAddress(b []byte, p *process, addr uint64, l text.Style) []byte {
	from, _ := p.overlapping(vm.Range{Start: addr, End: addr + 1})
	x := &p.pieces[from]
	b = fmt.Appendf(b, "0x%x in pid %d %s: %s\n", addr, p.PID, p.name(), l.Paint(text.Kind, text.Printable(kindDetail(x))))
	line := func(name, value string) { b = fmt.Appendf(b, "  %-9s %s\n", name, text.Printable(value)) }
	t := fmt.Sprintf("%x-%x %v, %s", x.Start, x.End, x.Perms, l.Size(int64(x.Len())))
	if p.taken >= 0 {
		t += ", " + l.Size(x.rss) + " resident"
	}
	if x.File.Path != "" {
		t += ", " + x.File.Path
		if x.File.Backed() {
			t += fmt.Sprintf(" from 0x%x on", x.Offset)
		}
	}
	line("mapping", t)
	for _, r := range kernelRows(p.pieces) {
		if n := r.last - r.first + 1; r.Contains(addr) && n > 1 {
			line("row", fmt.Sprintf("%v %v, %s: one row for the kernel, %s", r.Range, r.Perms, l.Size(int64(r.Len())), countText(n, "mapping")))
		}
	}
	if x.Evidence != "" {
		line("kind", fmt.Sprintf("%s: %s", x.Confidence, x.Evidence))
	}
	if x.maker == nil {
		line("made by", s.who(p, x).Text(0))
		return fmt.Appendf(b, "next: vmblame history %s 0x%x\n", l.Log, addr)
	}
	e := x.maker
	line("made by", fmt.Sprintf("%s at %s, event %d, thread %s", makerText(e), text.When(e.T), e.Seq, s.thread(e.TID, e.T)))
	if m := x.Moved; m != nil {
		line("moved", fmt.Sprintf("from %x, where event %d had mapped it", m.Start, m.Origin.Event))
	}
	if x.Origin.Cause == ledger.FromEvent {
		line("who", s.who(p, x).Text(0))
	}
	if e.Stack != 0 {
		b = s.stackText(b, e.Stack)
	}
	return fmt.Appendf(b, "next: vmblame history %s 0x%x\n", l.Log, addr)
}

// stackText appends the frames of a stack, a line each.
func (s *Scene) stackText(b []byte, stack int) []byte {
	for st := range s.names.walk(stack) {
		b = appendStep(b, st)
	}
	if end := s.names.stackEnd(stack); end != "" {
		b = fmt.Appendf(b, " > (the walk ends here: %s)\n", text.Printable(end))
	}
	return b
}
