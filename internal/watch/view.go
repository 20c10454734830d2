package watch

import (
	"fmt"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// sparkWidth is how many moments a sparkline shows.
const sparkWidth = 16

// View implements tea.Model.
func (m *model) View() tea.View {
	v := tea.NewView(m.screen())
	v.AltScreen = true
	v.WindowTitle = "vmblame watch " + text.Printable(m.source.Name())
	return v
}

// screen is the text of the whole screen.
func (m *model) screen() string {
	if m.width == 0 {
		return ""
	}
	if m.help {
		return m.fit(strings.Split(m.look.Word(helpText), "\n"))
	}
	lines := []string{m.title(), m.ruler(), m.path()}
	room := m.height - len(lines) - 1
	if room > 0 {
		lines = append(lines, m.body(room)...)
	}
	for len(lines) < m.height-1 {
		lines = append(lines, "")
	}
	return m.fit(append(lines[:max(m.height-1, 0)], m.foot()))
}

// fit cuts lines to the screen. Colours take no room: lines with some fit already.
func (m *model) fit(lines []string) string {
	lines = lines[:min(len(lines), m.height)]
	for i, s := range lines {
		if !strings.Contains(s, "\x1b") {
			lines[i] = text.Clip(s, m.width)
		}
	}
	return strings.Join(lines, "\n")
}

func (m *model) style() text.Style {
	return text.Style{Width: m.width, Color: m.look.Color, Words: m.look.Words}
}

func (m *model) title() string {
	f := m.shown()
	s := "vmblame watch " + text.Printable(m.source.Name())
	if f == nil {
		if m.err != nil {
			return s + ": " + m.look.Told(text.Printable(m.err.Error()))
		}
		return s + ": " + m.look.Word("reading ...")
	}
	sum := f.total()
	switch {
	case !m.live:
		s += m.look.Word(" [paused]")
	case m.err != nil:
		s += " [" + m.look.Told(text.Printable(m.err.Error())) + "]"
	case m.over:
		s += m.look.Word(" [ended]")
	}
	s += m.look.Say("  %s  %s mapped, %s resident", clock(f.t), text.Size(sum.addresses), size(sum.resident, sum.counted))
	if sum.given > 0 {
		s += m.look.Say(", %s given back", text.Size(sum.given))
	}
	if f.seq > 0 {
		s += m.look.Say("  event %d", f.seq)
	}
	return text.Clip(s, m.width)
}

// size writes a number of bytes, "?" where it was not counted.
func size(n int64, counted bool) string {
	if !counted {
		return "?"
	}
	return text.Size(n)
}

// ruler draws the bytes mapped over all frames, as wide as the screen, with a mark at the moment shown.
func (m *model) ruler() string {
	if len(m.frames) == 0 {
		return ""
	}
	width := max(m.width, 1)
	values := make([]int64, width)
	at := 0
	for i := range width {
		j := i * len(m.frames) / width
		if len(m.frames) <= width {
			j = min(i, len(m.frames)-1)
		}
		values[i] = m.frames[j].total().addresses
		if j <= m.pos {
			at = i
		}
	}
	if len(m.frames) < width {
		values = values[:len(m.frames)]
		at = m.pos
	}
	bars := []rune(spark(values))
	if !m.live && at < len(bars) {
		bars[at] = '|'
	}
	return string(bars)
}

// path says what is listed, and how.
func (m *model) path() string {
	s := m.list().head
	if m.level == atDetail {
		s = m.processName() + " > " + fmt.Sprintf("%x", m.address)
	} else {
		s = m.look.Say("%s, by %s", s, m.look.Word(sorts[m.sort].name))
	}
	if base := m.frameAt(m.base); base != nil && m.base > 0 && m.level <= atRows {
		s += m.look.Say(", growth since %s", clock(base.t))
	}
	if m.filter != "" {
		s += m.look.Say(", filter %s", m.filter)
	}
	return text.Clip(text.Printable(s), m.width)
}

func (m *model) foot() string {
	switch {
	case m.typing:
		return text.Clip("/"+text.Printable(m.filter)+"_", m.width)
	case m.said != "":
		return text.Clip(m.look.Told(text.Printable(m.said)), m.width)
	case m.asked != nil:
		return m.look.Word("reading this moment ...")
	}
	return text.Clip(m.look.Word("q quit  enter deeper  esc back  s sort  b list by  / filter  space pause  < > time  m mark  w write  ? help"), m.width)
}

// body is the list of the level, at most room lines, with the cursor among them.
func (m *model) body(room int) []string {
	if m.level == atDetail {
		if m.detail == nil {
			return []string{m.look.Word("reading ...")}
		}
		top := max(min(m.top[atDetail], len(m.detail)-1), 0)
		return m.detail[top:min(top+room, len(m.detail))]
	}
	l := m.list()
	switch {
	case len(l.lines) == 0 && m.level > atRows && m.state == nil:
		return []string{m.look.Word("  only totals are known at this moment: esc")}
	case len(l.lines) == 0 && m.filter != "":
		return []string{m.look.Word("  nothing fits the filter: / and esc end it")}
	case len(l.lines) == 0:
		return []string{m.look.Word("  nothing at this moment")}
	}
	head, rows := m.table(l, m.style())
	room = max(room-1, 0)
	at := m.cursor[m.level]
	top := m.top[m.level]
	if at < top {
		top = at
	}
	if at >= top+room {
		top = at - room + 1
	}
	top = max(min(top, len(rows)-room), 0)
	m.top[m.level] = top
	out := []string{head}
	plain := m.style()
	plain.Color = false
	_, unpainted := m.table(l, plain)
	for i := top; i < len(rows) && i < top+room; i++ {
		if i == at {
			s := unpainted[i]
			out = append(out, "\x1b[7m"+s+strings.Repeat(" ", max(m.width-text.Width(s), 0))+"\x1b[m")
		} else {
			out = append(out, rows[i])
		}
	}
	return out
}

// table writes a list: the line of heads, and one for each line.
func (m *model) table(l list, s text.Style) (head string, rows []string) {
	number := func(name string) text.Column { return text.Column{Head: name, Right: true, Color: text.Number} }
	t := &text.Table{}
	switch m.level {
	case atProcesses:
		t.Columns = []text.Column{number("PID"), number("ADDRESSES"), number("RESIDENT"), number("GROWTH"), {Head: "COURSE", Spare: 1}, {Head: "NAME"}}
		for i := range l.lines {
			x := &l.lines[i]
			name := x.name
			if x.ended {
				name += s.Word(" (ended)")
			}
			t.Add(text.Plain(strconv.Itoa(x.pid)), text.Plain(text.Size(x.addresses)), text.Plain(size(x.resident, x.counted)), text.Plain(s.Change(x.growth)), text.Plain(spark(x.course)), text.Plain(name))
		}
	case atRows:
		t.Columns = []text.Column{number("ADDRESSES"), number("USABLE"), number("RESIDENT"), number("GROWTH"), {Head: "COURSE"}, {Head: "WHAT", Color: text.Kind, Limit: 42, Least: 18}, {Head: "WHO"}}
		t.Columns[1].Spare, t.Columns[4].Spare = 1, 2
		for i := range l.lines {
			x := &l.lines[i]
			name := x.name
			if bys[m.by] == analysis.ByKind {
				name = s.Told(name)
			}
			t.Add(text.Plain(text.Size(x.addresses)), text.Plain(text.Size(x.usable)), text.Plain(size(x.resident, x.counted)), text.Plain(s.Change(x.growth)), text.Plain(spark(x.course)), text.Plain(name), whoCell(x, s))
		}
	case atParts:
		t.Columns = []text.Column{number("ADDRESSES"), number("USABLE"), number("RESIDENT"), number("COUNT"), {Head: "WHAT", Color: text.Kind, Limit: 42, Least: 18}, {Head: "WHO"}}
		for i := range l.lines {
			x := &l.lines[i]
			t.Add(text.Plain(text.Size(x.addresses)), text.Plain(text.Size(x.usable)), text.Plain(size(x.resident, x.counted)), text.Plain(strconv.Itoa(x.count)), text.Plain(s.Told(x.name)), whoCell(x, s))
		}
	default:
		t.Columns = []text.Column{number("START"), number("SIZE"), number("RESIDENT"), {Head: "PERMS"}, number("WHEN"), {Head: "THREAD", Limit: 18}, {Head: "WHAT", Color: text.Kind, Limit: 36, Least: 18}, {Head: "WHO"}}
		t.Columns[4].Spare, t.Columns[5].Spare, t.Columns[3].Spare = 1, 2, 3
		for i := range l.lines {
			x := &l.lines[i]
			t.Add(text.Plain(strconv.FormatUint(x.address, 16)), text.Plain(text.Size(x.addresses)), text.Plain(size(x.resident, x.counted)), text.Plain(x.perms), text.Plain(x.when), text.Plain(x.thread), text.Plain(s.Told(x.name)), whoCell(x, s))
		}
	}
	all := lines(string(t.Append(nil, s)))
	return all[0], all[1:]
}

func whoCell(x *line, s text.Style) text.Cell {
	switch {
	case x.parts > 0:
		return text.Plain(s.Count(x.parts, "owner", "owners"))
	case len(x.who.Calls) == 0:
		return text.Plain("")
	}
	if words := s.Told(x.who.Calls[0]); len(x.who.Calls) == 1 && strings.Contains(x.who.Calls[0], " ") && words != x.who.Calls[0] {
		return text.Plain(words) // no call
	}
	return text.Cell{Text: x.who.Text(0), Fit: x.who.Text}
}

// page returns how many lines the list has on the screen.
func (m *model) page() int { return max(m.height-6, 1) }

func lines(s string) []string { return strings.Split(strings.TrimRight(s, "\n"), "\n") }

// spark draws values as bars, the largest the highest. 0 is a blank.
func spark(values []int64) string {
	bars := []rune(" ▁▂▃▄▅▆▇█")
	most := int64(1)
	for _, v := range values {
		most = max(most, v)
	}
	var b strings.Builder
	for _, v := range values {
		i := int(float64(v) / float64(most) * float64(len(bars)-1))
		if v > 0 {
			i = max(i, 1)
		}
		b.WriteRune(bars[i])
	}
	return b.String()
}

const helpText = `vmblame watch: processes > what they have > its parts > mappings > the stack and the history of one

  up down pgup pgdn home end   move the cursor
  enter, esc                   one level deeper, back
  s, S                         the next order, the one before: addresses, growth, resident, usable, count, name
  b                            list by kind, function, thread, file
  /                            show only lines with a text; esc ends it
  space                        pause; once more: the newest moment again
  left right [ ] g G           back and on in time, in steps, to the beginning, to the end
  m                            growth counts from this moment
  w                            write the report of this moment to a file, as report --json does
  q                            end; a process that was attached to is left as it was

COURSE draws the last moments up to the one that is shown. ? is what was not counted.
any key goes back`
