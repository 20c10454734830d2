package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// Blame is the text of a Blame.
func Blame(a *analysis.Blame, s text.Style) []byte {
	var b []byte
	for i := range a.Processes {
		p := &a.Processes[i]
		if i > 0 {
			b = append(b, '\n')
		}
		if a.Spaces > 1 || a.Start == nil {
			b = append(b, text.Fold(s.Say("pid %d %s, at %s", p.PID, processText(p.Name, p.Exe), momentText(&a.At, s)), s.Lines(), "  ")+"\n"...)
		}
		if p.Mapping != nil {
			b = appendAddress(b, a, p, s)
		} else {
			b = appendRows(b, a, p, s)
		}
	}
	switch {
	case len(a.Processes) > 0:
	case a.Start == nil:
		b = append(b, s.Say("nothing is mapped at %s", momentText(&a.At, s))+"\n"...)
	default:
		asked := a.Start.String()
		if *a.End != *a.Start+1 {
			asked = fmt.Sprintf("%x-%x", uint64(*a.Start), uint64(*a.End))
		}
		t := s.Say("%s: not mapped at %s", asked, momentText(&a.At, s))
		if a.Only != "" {
			t = s.Say("%s, at %s: nothing matches %s", asked, momentText(&a.At, s), text.Printable(a.Only))
		}
		b = append(b, t+"\n"+text.Commands(s.Word("next: "), s.Lines(), fmt.Sprintf("vmblame history %s %v", s.Log, *a.Start))...)
	}
	return b
}

func appendRows(b []byte, a *analysis.Blame, p *analysis.BlamedProcess, s text.Style) []byte {
	t := &text.Table{Indent: 2, Columns: []text.Column{
		{Head: "START"}, {Head: "SIZE", Right: true, Color: text.Number}, {Head: "RESIDENT", Right: true, Color: text.Number, Spare: 3},
		{Head: "WHAT", Color: text.Kind, Limit: whatLimit(s.Width) - 8},
	}}
	// A narrow terminal has no room for the time.
	times := s.Whole || s.Width >= 125
	if times {
		t.Columns = append(t.Columns, text.Column{Head: "WHEN", Right: true, Spare: 1})
	}
	t.Columns = append(t.Columns, text.Column{Head: "THREAD", Spare: 2, Limit: 24}, text.Column{Head: "WHO"})
	for i := range p.Rows {
		r := &p.Rows[i]
		t.Add(text.Banner(text.Fold(rowText(a, r, s), s.Lines(), "  "))...)
		for j := range r.Mappings {
			m := &r.Mappings[j]
			row := []text.Cell{text.Plain(fmt.Sprintf("%x", uint64(m.Start))), text.Plain(s.Size(m.Bytes)), text.Plain(s.Measured(m.Resident)), shortCell(m.Label, s)}
			if times {
				when := ""
				if m.T != nil {
					when = text.When(*m.T)
				}
				row = append(row, text.Plain(when))
			}
			t.Add(append(row, text.Plain(analysis.ThreadLabel(m.TID, m.Thread)), whoCell(m.Who, s))...)
			if a.Stacks && m.Stack != 0 {
				t.Add(text.Banner(strings.TrimRight(string(appendStack(nil, m.Frames, m.StackEnd, s)), "\n"))...)
			}
		}
	}
	if n := len(p.Rows); n > 1 && !slices.ContainsFunc(p.Rows, func(r analysis.BlamedRow) bool { return r.Mapped > 0 }) {
		why := s.Say("nothing matches: none of %s is mapped in this process at that moment. The text is of another process, or of another run: addresses are chosen anew each time (run --no-aslr keeps them)", s.Count(n, "row", "rows"))
		b = append(b, text.Fold(why, s.Lines(), "  ")+"\n"...)
	}
	b = t.Append(b, s)
	if len(p.Rows) > 0 {
		b = append(b, text.Commands(s.Word("next: "), s.Lines(), fmt.Sprintf("vmblame history %s %v", s.Log, p.Rows[0].Start))...)
	}
	return b
}

// rowText is the line above the mappings of a row: "7ff… rw-p 11.5 MiB, resident 3.2 MiB: one row for the
// kernel, 4 mappings".
func rowText(a *analysis.Blame, r *analysis.BlamedRow, s text.Style) string {
	size := int64(r.End - r.Start)
	t := fmt.Sprintf("%x-%x", uint64(r.Start), uint64(r.End))
	if r.Perms != "" {
		t += " " + text.Printable(r.Perms)
	}
	t += " " + s.Size(size)
	if r.Resident != nil {
		t += s.Say(", resident %s", s.Size(*r.Resident))
	}
	if r.Path != "" {
		t += " " + text.Printable(r.Path)
	}
	switch n := len(r.Mappings); {
	case n == 0:
		return t + s.Say(": not mapped at %s", momentText(&a.At, s))
	case r.Mapped < size:
		return t + s.Say(": %s of it not mapped at %s", s.Size(size-r.Mapped), momentText(&a.At, s))
	case n == 1:
		return t
	default:
		return t + s.Say(": one row for the kernel, %s", s.Count(n, "mapping", "mappings"))
	}
}

// headOf returns what precedes a value: a word, padded with blanks to this many columns.
func headOf(word string, columns int) string {
	return "  " + word + strings.Repeat(" ", max(columns-text.Width(word), 0)+1)
}

// appendAddress appends everything known about the mapping at one address.
func appendAddress(b []byte, a *analysis.Blame, p *analysis.BlamedProcess, s text.Style) []byte {
	m := p.Mapping
	b = append(b, text.Fold(s.Say("%v in pid %d %s: %s", *a.Start, p.PID, processText(p.Name, p.Exe), s.Told(text.Printable(m.Label))), s.Lines(), "  ")+"\n"...)
	line := func(name, value string) {
		b = append(b, text.Indented(headOf(name, 9), text.Printable(value), s.Lines())+"\n"...)
	}
	t := s.Say("%x-%x %s, %s", uint64(m.Start), uint64(m.End), m.Perms, s.Size(m.Bytes))
	if m.Resident != nil {
		t += s.Say(", %s resident", s.Size(*m.Resident))
	}
	if m.Path != "" {
		t += s.Say(", %s", m.Path)
		if m.Backed {
			t += s.Say(" from 0x%x on", m.Offset)
		}
	}
	line(s.Word("mapping"), t)
	if k := p.Kernel; k != nil {
		line(s.Word("row"), s.Say("%x-%x %s, %s: one row for the kernel, %d mappings", uint64(k.Start), uint64(k.End), k.Perms, s.Size(int64(k.End-k.Start)), k.Mappings))
	}
	if m.Evidence != "" {
		line(s.Word("kind"), s.Say("%s: %s", s.Word(string(m.Confidence)), s.Told(m.Evidence)))
	}
	if m.T == nil {
		line(s.Word("made by"), whoText(m.Who, s, 0))
	} else {
		line(s.Word("made by"), s.Say("%s at %s, event %d, thread %s", m.MadeBy, text.When(*m.T), *m.Origin, analysis.ThreadLabel(m.TID, m.Thread)))
		if m.Moved != nil {
			line(s.Word("moved"), s.Say("from %x, where event %d had mapped it", uint64(m.Moved.Start), m.Moved.Origin))
		}
		if m.Cause == "" {
			line(s.Word("who"), whoText(m.Who, s, 0))
		}
		b = appendStack(b, m.Frames, m.StackEnd, s)
	}
	return append(b, text.Commands(s.Word("next: "), s.Lines(), fmt.Sprintf("vmblame history %s %v", s.Log, *a.Start))...)
}
