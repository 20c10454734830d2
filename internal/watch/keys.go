package watch

import (
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
)

// keyPressed does what a key asks for.
func (m *model) keyPressed(msg tea.KeyPressMsg) tea.Cmd {
	key := msg.String()
	if key == "ctrl+c" {
		return tea.Quit
	}
	if m.typing {
		m.typed(key, msg.Text)
		return nil
	}
	m.said = ""
	if m.help {
		m.help = false
		return nil
	}
	switch key {
	case "q":
		return tea.Quit
	case "?", "f1":
		m.help = true
	case "up", "k":
		m.move(-1)
	case "down", "j":
		m.move(1)
	case "pgup":
		m.move(-m.page())
	case "pgdown":
		m.move(m.page())
	case "home":
		m.move(-1 << 30)
	case "end":
		m.move(1 << 30)
	case "enter":
		return m.enter()
	case "esc", "backspace":
		m.leave()
	case "alt+esc": // two, which the terminal sends as one
		m.leave()
		m.leave()
	case "left", "h":
		return m.scrub(-1)
	case "right", "l":
		return m.scrub(1)
	case "[":
		return m.scrub(-max(len(m.frames)/20, 2))
	case "]":
		return m.scrub(max(len(m.frames)/20, 2))
	case "g":
		return m.scrub(-len(m.frames))
	case "G":
		m.live = true
		return m.goTo(len(m.frames) - 1)
	case "space", " ", "p":
		if m.live = !m.live; m.live {
			return m.goTo(len(m.frames) - 1)
		}
	case "s", "S":
		n := len(sorts)
		if key == "S" {
			m.sort += n - 2
		}
		m.sort = (m.sort + 1) % n
		m.said = m.look.Say("sorted by %s", m.look.Word(sorts[m.sort].name))
	case "b":
		if m.level > atRows {
			m.level = atRows
		}
		m.by = (m.by + 1) % len(bys)
		m.cursor[atRows] = 0
		m.said = m.look.Say("listed by %s", m.look.Word(string(bys[m.by])))
	case "/":
		m.typing = true
	case "m":
		m.base = m.pos
		m.said = m.look.Word("growth counts from here")
	case "w":
		m.write()
	}
	return nil
}

// typed takes a key of the filter's line.
func (m *model) typed(key, text string) {
	switch {
	case key == "enter":
		m.typing = false
	case key == "esc":
		m.typing, m.filter = false, ""
	case key == "backspace":
		_, n := utf8.DecodeLastRuneInString(m.filter)
		m.filter = m.filter[:len(m.filter)-n]
	case text != "":
		m.filter += text
	}
	m.cursor[m.level] = 0
}

// move moves the cursor, or scrolls what is longer than the screen.
func (m *model) move(n int) {
	most := len(m.list().lines) - 1
	if m.level == atDetail {
		m.top[atDetail] = max(min(m.top[atDetail]+n, len(m.detail)-m.page()), 0)
		return
	}
	m.cursor[m.level] = max(min(m.cursor[m.level]+n, most), 0)
}

// enter goes one level deeper, to what the cursor is at.
func (m *model) enter() tea.Cmd {
	l := m.list()
	at := m.cursor[m.level]
	if m.level == atDetail || at >= len(l.lines) {
		return nil
	}
	x := l.lines[at]
	switch m.level {
	case atProcesses:
		m.pid, m.level = x.pid, atRows
	case atRows:
		if m.state == nil {
			m.said = m.look.Word("only totals are known at this moment")
			return m.ask()
		}
		m.key, m.level = x.key, atParts
		if x.parts == 0 {
			m.part, m.level = "", atRanges
		}
	case atParts:
		m.part, m.level = x.key, atRanges
	case atRanges:
		m.address, m.level, m.detail = x.address, atDetail, nil
	}
	m.cursor[m.level], m.top[m.level] = 0, 0
	return m.askDetail()
}

// leave goes back one level.
func (m *model) leave() {
	switch m.level {
	case atProcesses:
		m.filter = ""
	case atRanges:
		if m.level = atParts; m.part == "" {
			m.level = atRows
		}
	default:
		m.level--
	}
}

// scrub moves so many moments forward or, if n is negative, backward.
func (m *model) scrub(n int) tea.Cmd {
	m.live = false
	return m.goTo(max(min(m.pos+n, len(m.frames)-1), 0))
}

func (m *model) goTo(i int) tea.Cmd {
	m.pos = max(i, 0)
	return tea.Batch(m.ask(), m.askDetail())
}

// write saves what is shown.
func (m *model) write() {
	r := m.report()
	if r == nil {
		m.said = m.look.Word("only totals are known at this moment")
		return
	}
	file, err := m.save(r)
	if err != nil {
		m.said = err.Error()
		return
	}
	m.said = m.look.Say("written to %s", file)
}
