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
		b = append(b, text.Fold(s.Say("%v: nothing was ever mapped there up to %s", h.Address, momentText(&h.At, s)), s.Lines(), "  ")+"\n"...)
	}
	return b
}

// ends is how many of the first and how many of the last steps are shown on a terminal.
const ends = 50

func appendSpace(b []byte, h *analysis.History, c *analysis.SpaceHistory, s text.Style) []byte {
	b = append(b, text.Fold(s.Say("%v in pid %d %s", h.Address, c.PID, processText(c.Name, c.Exe)), s.Lines(), "  ")+"\n"...)
	t := &text.Table{Indent: 2, Columns: []text.Column{
		{Right: true}, {Color: text.Kind}, {}, {Limit: max(16, s.Width/4), Spare: 2}, {Limit: 20, Spare: 1}, {},
	}}
	left := 0 // out
	if most := 2 * ends; s.Rows > 0 && len(c.Steps) > most+1 {
		left = len(c.Steps) - most
	}
	rows := func(yield func([]text.Cell) bool) {
		for i := range c.Steps {
			st := &c.Steps[i]
			ok := true
			switch {
			case left > 0 && i == ends:
				ok = yield(text.Banner(s.Say("  ... %d steps more (through a pipe all of them are shown)", left)))
			case left > 0 && i > ends && i < ends+left:
			case st.What == analysis.Repeated:
				again := s.Say("and so on: the same step %d times more", st.Times)
				if st.Steps > 1 {
					again = s.Say("and so on: the same %d steps %d times more", st.Steps, st.Times)
				}
				ok = yield(text.Banner(fmt.Sprintf("  %s  %s", text.When(until(st)), again)))
			default:
				ok = yield(stepRow(st, s))
				if ok && h.Stacks && st.Stack != 0 {
					ok = yield(text.Banner(stepStack(st, s)))
				}
			}
			if !ok {
				return
			}
		}
	}
	b = t.AppendRows(b, s, rows)
	b = append(b, text.Fold(s.Say("now: %s", text.Printable(nowText(h, c, s))), s.Lines(), "     ")+"\n"...)
	return append(b, text.Commands(s.Word("next: "), s.Lines(), fmt.Sprintf("vmblame blame %s %v", s.Log, h.Address))...)
}

// until returns the time of the last repetition that a step stands for.
func until(st *analysis.Step) int64 {
	if st.Last != nil {
		return *st.Last
	}
	return st.T
}

// stepRow is the line of a step. On a narrow terminal it says where and how much, without the end.
func stepRow(st *analysis.Step, s text.Style) []text.Cell {
	what := s.Word(st.What)
	if st.Times > 0 {
		what += s.Say(" %d times", st.Times)
	}
	place := fmt.Sprintf("%x-%x", uint64(st.Start), uint64(st.End))
	if !s.Whole && s.Width < 100 {
		place = fmt.Sprintf("%x %s", uint64(st.Start), s.Size(int64(st.End-st.Start)))
	}
	return []text.Cell{text.Plain(text.When(until(st))), text.Plain(what), text.Plain(place), text.Plain(s.Told(st.Text)), text.Plain(analysis.ThreadLabel(st.TID, st.Thread)), whoCell(st.Who, s)}
}

// stepStack is the call of a step with its arguments, and its stack.
func stepStack(st *analysis.Step, s text.Style) string {
	call := ""
	if st.Call != "" {
		call = "   " + text.Fold(s.Say("event %d: %s", st.Event, text.Printable(st.Call)), max(s.Lines()-3, 0), "   ") + "\n"
	}
	return strings.TrimRight(string(appendStack([]byte(call), st.Frames, st.StackEnd, s)), "\n")
}

// nowText describes what is mapped at the address at the moment of the history.
func nowText(h *analysis.History, c *analysis.SpaceHistory, s text.Style) string {
	switch {
	case c.Now != nil:
		t := s.Say("%s, %s", s.Told(c.Now.Label), c.Now.Perms)
		if c.Now.Resident != nil {
			t += s.Say(", resident %s", s.Size(*c.Now.Resident))
		}
		if h.Moment != (analysis.Moment{}).String() {
			t += s.Say(", at %s", momentText(&h.At, s))
		}
		return t
	case !c.Gone:
		return s.Word("not mapped")
	case c.Mapped:
		return s.Word("this address space ended with it mapped (exec, or the end of the process)")
	}
	return s.Word("not mapped when this address space ended")
}
