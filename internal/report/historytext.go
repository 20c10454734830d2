package report

import (
	"fmt"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// History writes a History for people, a line for each step.
func History(h *analysis.History, s text.Style) []byte {
	var b []byte
	for i := range h.Spaces {
		if i > 0 {
			b = append(b, '\n')
		}
		b = appendSpace(b, h, &h.Spaces[i], s)
	}
	if len(h.Spaces) == 0 {
		b = fmt.Appendf(b, "%v: nothing was ever mapped there up to %s\n", h.Address, momentText(&h.At))
	}
	return b
}

// ends is how many of the first and of the last steps are shown on a terminal.
const ends = 50

func appendSpace(b []byte, h *analysis.History, c *analysis.SpaceHistory, s text.Style) []byte {
	b = fmt.Appendf(b, "%v in pid %d %s\n", h.Address, c.PID, processText(c.Name, c.Exe))
	t := &text.Table{Indent: 2, Columns: []text.Column{
		{Right: true}, {Color: text.Kind}, {Right: !s.Whole && s.Width < 100}, {Limit: max(20, s.Width/4)}, {}, {},
	}}
	left := 0 // out
	if most := 2 * ends; !s.Whole && len(c.Steps) > most+1 {
		left = len(c.Steps) - most
	}
	rows := func(yield func([]text.Cell) bool) {
		for i := range c.Steps {
			st := &c.Steps[i]
			ok := true
			switch {
			case left > 0 && i == ends:
				ok = yield(text.Banner(fmt.Sprintf("  ... %d steps more (through a pipe all of them are shown)", left)))
			case left > 0 && i > ends && i < ends+left:
			case st.What == analysis.Repeated:
				steps := "step"
				if st.Steps > 1 {
					steps = fmt.Sprintf("%d steps", st.Steps)
				}
				ok = yield(text.Banner(fmt.Sprintf("  %s  and so on: the same %s %d times more", text.When(until(st)), steps, st.Times)))
			default:
				ok = yield(stepRow(st, s))
				if ok && h.Stacks && st.Stack != 0 {
					ok = yield(text.Banner(stepStack(st)))
				}
			}
			if !ok {
				return
			}
		}
	}
	b = t.AppendRows(b, s, rows)
	b = fmt.Appendf(b, "now: %s\n", text.Printable(nowText(h, c, s)))
	return fmt.Appendf(b, "next: vmblame blame %s %v\n", s.Log, h.Address)
}

// until is when the last of those happened that a step stands for.
func until(st *analysis.Step) int64 {
	if st.Last != nil {
		return *st.Last
	}
	return st.T
}

// stepRow is the line of a step. A narrow terminal has room for how much it was alone, not for where.
func stepRow(st *analysis.Step, s text.Style) []text.Cell {
	what := st.What
	if st.Times > 0 {
		what += fmt.Sprintf(" %d times", st.Times)
	}
	place := fmt.Sprintf("%x-%x", uint64(st.Start), uint64(st.End))
	if !s.Whole && s.Width < 100 {
		place = s.Size(int64(st.End - st.Start))
	}
	return []text.Cell{text.Plain(text.When(until(st))), text.Plain(what), text.Plain(place), text.Plain(st.Text), text.Plain(analysis.ThreadLabel(st.TID, st.Thread)), whoCell(st.Who, s)}
}

// stepStack is the call of a step with its arguments, and its stack.
func stepStack(st *analysis.Step) string {
	call := ""
	if st.Call != "" {
		call = fmt.Sprintf("   event %d: %s\n", st.Event, text.Printable(st.Call))
	}
	return strings.TrimRight(string(appendStack([]byte(call), st.Frames, st.StackEnd)), "\n")
}

// nowText is what stands at the address at the moment of the history.
func nowText(h *analysis.History, c *analysis.SpaceHistory, s text.Style) string {
	switch {
	case c.Now != nil:
		t := c.Now.Label + ", " + c.Now.Perms
		if c.Now.Resident != nil {
			t += ", resident " + s.Size(*c.Now.Resident)
		}
		if h.Moment != (analysis.Moment{}).String() {
			t += ", at " + momentText(&h.At)
		}
		return t
	case !c.Gone:
		return "not mapped"
	case c.Mapped:
		return "this address space ended with it mapped (exec, or the end of the process)"
	}
	return "not mapped when this address space ended"
}
