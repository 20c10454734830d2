package report

import (
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// advisedText is the line of a headline about advice, "" for none: how much was given back and by whom, what may go, and what
// was brought in.
func advisedText(list []analysis.Advised, s text.Style) string {
	if len(list) == 0 {
		return ""
	}
	var may, asked int64
	times := 0
	for i := range list {
		x := &list[i]
		times += x.Times + x.Failed
		asked += x.Bytes
		if x.Advice == "MADV_FREE" && x.Left != nil {
			may += *x.Left
		}
	}
	gave, brought := analysis.SumAdvised(list)
	var parts []string
	if gave != nil {
		t := s.Say("%s given back", s.Size(*gave))
		if x := &list[0]; *gave > 0 {
			t += s.Say(", most of it (%s, %s) by %s", s.Size(*x.GaveBack), x.Advice, whoText(x.Who, s, 60))
		}
		parts = append(parts, t)
	} else {
		parts = append(parts, s.Say("%s advised about, most of it by %s; how much of it was in memory was not counted (--backend seccomp or syscall counts)", s.Size(asked), whoText(list[0].Who, s, 60)))
	}
	if may > 0 {
		parts = append(parts, s.Say("%s left in memory by MADV_FREE until the kernel needs it", s.Size(may)))
	}
	if brought != nil && *brought > 0 {
		parts = append(parts, s.Say("%s brought in", s.Size(*brought)))
	}
	t := s.Say("madvise: %s: %s", s.Count(times, "call", "calls"), strings.Join(parts, s.Word("; ")))
	return text.Fold(text.Printable(t), s.Lines(), "         ") + "\n"
}

// advisedTable lists what each chain of calls gave back or brought in.
func advisedTable(list []analysis.Advised, s text.Style) *text.Table {
	t := &text.Table{Columns: []text.Column{
		{Head: "GAVE BACK", Right: true, Color: text.Number}, {Head: "BROUGHT IN", Right: true, Color: text.Number, Spare: 3}, {Head: "ASKED ABOUT", Right: true, Color: text.Number, Spare: 2},
		{Head: "CALLS", Right: true}, {Head: "FAILED", Right: true, Spare: 4}, {Head: "ADVICE", Color: text.Kind}, {Head: "WHERE", Spare: 1, Limit: 24}, {Head: "WHO"},
	}}
	for i := range list {
		x := &list[i]
		t.Add(text.Plain(s.Measured(x.GaveBack)), text.Plain(s.Measured(x.Brought)), text.Plain(s.Size(x.Bytes)), text.Plain(text.Thousands(int64(x.Times))),
			text.Plain(text.Thousands(int64(x.Failed))), text.Plain(x.Advice), text.Plain(x.Where), whoCell(x.Who, s))
	}
	return t
}
