package report

import (
	"fmt"
	"strconv"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// Growth is the text of a Growth: of each process how much it grew and how fast, and then by whom.
func Growth(g *analysis.Growth, l text.Style) []byte {
	var b []byte
	if len(g.Processes) == 0 {
		return append(b, l.Say("nothing is mapped at %s", momentText(&g.At, l))+"\n"...)
	}
	shown := inFull(g.Processes, l, func(p *analysis.GrownProcess) int64 { return p.Net })
	for i := range shown {
		p := &shown[i]
		if i > 0 {
			b = append(b, '\n')
		}
		name := ""
		if len(g.Processes) > 1 {
			name = l.Say("pid %d %s: ", p.PID, processText(p.Name, p.Exe))
		}
		if g.Only != "" && len(p.Rows) == 0 && len(p.Advised) == 0 {
			b = append(b, text.Fold(l.Say("pid %d %s, since %s: nothing matches %s", p.PID, processText(p.Name, p.Exe), text.When(p.From), text.Printable(g.Only)), l.Lines(), "  ")+"\n"...)
			continue
		}
		b = append(b, text.Fold(name+grownText(&p.Grown, p, l)+onlyText(&g.At, l), l.Lines(), "  ")+"\n"...)
		rows := p.Rows
		if l.Rows > 0 && len(rows) > l.Rows+1 {
			rows = rows[:l.Rows]
		}
		if len(rows) > 0 {
			b = growthTable(rows, p, l).Append(append(b, '\n'), l)
		}
		if more := len(p.Rows) - len(rows); more > 0 {
			b = append(b, l.Say("(%d more: --all)", more)+"\n"...)
		}
		if given := p.Advised; len(given) > 0 {
			b = append(append(b, '\n'), advisedText(given, l)...)
			if l.Rows > 0 && len(given) > l.Rows+1 {
				given = given[:l.Rows]
			}
			b = advisedTable(given, l).Append(append(b, '\n'), l)
			if more := len(p.Advised) - len(given); more > 0 {
				b = append(b, l.Say("(%d more: --all)", more)+"\n"...)
			}
		}
	}
	if more := len(g.Processes) - len(shown); more > 0 {
		t := l.Say("%s not shown: --pid N shows one, --all shows them", l.Count(more, "process", "processes"))
		b = append(b, "\n"+text.Fold(t, l.Lines(), "  ")+"\n"...)
	}
	next := "vmblame report --by stack " + l.Log
	if p := &g.Processes[0]; p.Net > 0 {
		next = fmt.Sprintf("vmblame diff %s %s", atMoment(trimMoment(l.Log), g.Since), l.Log)
	}
	return append(b, text.Commands(l.Word("next: "), l.Lines(), next)...)
}

// trimMoment is the name of a log, as a shell takes it, without the moment that follows it.
func trimMoment(log string) string {
	end := ""
	if n := len(log); n > 0 && log[n-1] == '\'' {
		log, end = log[:n-1], "'"
	}
	for i := len(log) - 1; i > 0 && log[i] != '/'; i-- {
		if log[i] == '@' {
			if _, err := analysis.ParseMoment(log[i+1:]); err == nil {
				return log[:i] + end
			}
		}
	}
	return log + end
}

// onlyText says what was chosen, "" for all.
func onlyText(a *analysis.At, l text.Style) string {
	if a.Only == "" {
		return ""
	}
	return l.Say("; only: %s", text.Printable(a.Only))
}

// grownText is the headline: "+1.9 GiB in 38 min, 3.0 GiB an hour, a straight line since 0.41 s".
func grownText(g *analysis.Grown, p *analysis.GrownProcess, l text.Style) string {
	t := l.Say("%s in %s", l.Change(g.Net), ageText(p.Until-p.From, l))
	const second = 1e9 // a rate extrapolated from less than a second means nothing
	if g.PerHour != nil && g.Net != 0 && p.Until-p.From >= second {
		t += l.Say(", %s an hour at that rate", l.Size(*g.PerHour))
	}
	switch c := &g.Course; c.Form {
	case analysis.FormLine:
		t += l.Say(", a straight line since %s", text.When(*c.T))
	case analysis.FormStep:
		t += l.Say(", in one step at %s", text.When(*c.T))
	case analysis.FormSaw:
		t += l.Say(", up and down by %s", l.Size(c.Swing))
	}
	if len(p.Rows) > 0 {
		t += leakText(g, &p.Rows[0], l)
	}
	if n := len(p.Memory); n > 1 {
		t += l.Say("; in memory %s at %s, %s at %s", l.Size(p.Memory[0].Resident), text.When(p.Memory[0].T), l.Size(p.Memory[n-1].Resident), text.When(p.Memory[n-1].T))
	}
	if g.Went > 0 {
		t += l.Say("; %s came, %s went", l.Size(g.Came), l.Size(g.Went))
	}
	return t
}

// leakText describes the first row, if it or the total grew in a straight line: who made it, where, and how much was
// never freed. At 80 columns the table has no room for that.
func leakText(g *analysis.Grown, r *analysis.GrownRow, l text.Style) string {
	who := whoText(r.Who, l, 40)
	if r.Where != "" {
		who += " (" + text.Printable(r.Where) + ")"
	}
	t := ""
	switch {
	case r.Net <= 0:
		return ""
	case g.Course.Form == analysis.FormLine:
		t = l.Say(", %s of it by %s", l.Size(r.Net), who)
	case r.Course.Form == analysis.FormLine:
		t = l.Say(", %s in a straight line since %s by %s", l.Change(r.Net), text.When(*r.Course.T), who)
	default:
		return ""
	}
	if r.Left > 1 && r.Oldest != nil {
		left := l.Count(r.Left, "mapping", "mappings")
		if r.Each > 0 {
			left = l.Say("%s of %s each", left, l.Size(r.Each))
		}
		t += l.Say(", %s never freed, the oldest for %s", left, ageText(*r.Oldest, l))
	}
	return t
}

func growthTable(rows []analysis.GrownRow, p *analysis.GrownProcess, l text.Style) *text.Table {
	spare := 5
	if len(p.Memory) < 2 {
		spare = 1 // there is nothing in the column
	}
	t := &text.Table{Columns: []text.Column{
		{Head: "NET", Right: true, Color: text.Number}, {Head: "CAME", Right: true, Color: text.Number, Spare: 1}, {Head: "WENT", Right: true, Color: text.Number, Spare: 2},
		{Head: "IN MEMORY", Right: true, Color: text.Number, Spare: spare},
		{Head: "AN HOUR", Right: true, Color: text.Number, Spare: 7}, {Head: "NEVER FREED", Spare: 6}, {Head: "OLDEST", Right: true, Spare: 3}, {Head: "COURSE", Spare: 8, Limit: 26, Least: 22},
		{Head: "WHERE", Spare: 4, Limit: 24}, {Head: "WHAT", Color: text.Kind, Limit: whatLimit(l.Width) - 10, Least: 16}, {Head: "WHO"},
	}}
	for i := range rows {
		r := &rows[i]
		memory := "?"
		if r.Resident != nil {
			memory = l.Change(*r.Resident)
		}
		hour := "?"
		if r.Course.Form == analysis.FormStep {
			hour = "-"
		} else if r.PerHour != nil {
			hour = l.Change(*r.PerHour)
		}
		t.Add(text.Plain(l.Change(r.Net)), text.Plain(l.Size(r.Came)), text.Plain(l.Size(r.Went)), text.Plain(memory), text.Plain(hour), text.Plain(leftText(r, l)), text.Plain(oldestText(r, l)),
			text.Plain(courseText(r, p, l)), text.Plain(r.Where), shortCell(r.Label, l), whoCell(r.Who, l))
	}
	return t
}

// leftText is what was never freed: "637 x 1.0 MiB", "12".
func leftText(r *analysis.GrownRow, l text.Style) string {
	switch {
	case r.Left == 0:
		return "-"
	case r.Each > 0:
		return fmt.Sprintf("%s x %s", text.Thousands(int64(r.Left)), l.Size(r.Each))
	}
	return text.Thousands(int64(r.Left))
}

func oldestText(r *analysis.GrownRow, l text.Style) string {
	if r.Oldest == nil {
		return "-"
	}
	return ageText(*r.Oldest, l)
}

// courseText is a course in a few words: "line since 0.41 s", "saw 64.0 MiB, 12/min".
func courseText(r *analysis.GrownRow, p *analysis.GrownProcess, l text.Style) string {
	switch c := &r.Course; c.Form {
	case analysis.FormLine:
		return l.Say("line since %s", text.When(*c.T))
	case analysis.FormStep:
		return l.Say("step at %s", text.When(*c.T))
	case analysis.FormSaw:
		t := l.Say("saw %s", l.Size(c.Swing))
		if minutes := float64(p.Until-p.From) / 60e9; minutes > 0 {
			t += l.Say(", %s/min", strconv.FormatFloat(float64(c.Cycles)/minutes, 'f', 0, 64))
		}
		return t
	default:
		return l.Word(string(c.Form))
	}
}

// ageText is how long something lasted, in the unit that a person takes: "37 min", "4.2 s", "2.3 d".
func ageText(ns int64, l text.Style) string {
	s := float64(ns) / 1e9
	switch {
	case s < 120:
		return text.Seconds(ns)
	case s < 120*60:
		return l.Say("%s min", strconv.FormatFloat(s/60, 'f', 0, 64))
	case s < 48*3600:
		return l.Say("%s h", strconv.FormatFloat(s/3600, 'f', 1, 64))
	}
	return l.Say("%s d", strconv.FormatFloat(s/86400, 'f', 1, 64))
}
