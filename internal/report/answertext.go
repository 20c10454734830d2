package report

import (
	"cmp"
	"path"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// processText returns the name of a process, with its executable's if that is different: "redis-server
// (redis-check-rdb)".
func processText(name, exe string) string {
	file := ""
	if exe != "" {
		file = text.Printable(path.Base(exe))
	}
	switch name = text.Printable(name); {
	case name == "" && file == "":
		return "?"
	case name == "" || name == file || strings.HasPrefix(name, file+": "):
		return cmp.Or(name, file)
	case file == "":
		return name
	}
	return name + " (" + file + ")"
}

// momentText names a moment of a log: "the end, 4.2 s", "the start, 0 s", "the peak, 1.5 s", "0.5 s", "event 12, 0.1 s".
func momentText(a *analysis.At, s text.Style) string {
	m, _ := analysis.ParseMoment(a.Moment)
	switch m.Kind {
	case analysis.AtPeak:
		return s.Say("the peak, %s", text.When(a.T))
	case analysis.AtStart:
		return s.Say("the start, %s", text.When(a.T))
	case analysis.AtTime:
		return text.When(m.T)
	case analysis.AtSeq:
		return s.Say("event %d, %s", m.Seq, text.When(a.T))
	}
	if a.Cut {
		return s.Say("the cut, %s", text.When(a.T))
	}
	return s.Say("the end, %s", text.When(a.T))
}

// whoCell is a cell with the calls that made something, shortened where there is no room.
func whoCell(c analysis.Who, s text.Style) text.Cell {
	if words, ok := whoWords(c, s); ok {
		return text.Plain(words)
	}
	if s.Wide {
		return text.Plain(c.Whole())
	}
	return text.Cell{Text: c.Text(0), Fit: c.Text}
}

// whoText is the calls that made something, elided where they need more than room; 0 is no limit.
func whoText(c analysis.Who, s text.Style, room int) string {
	if words, ok := whoWords(c, s); ok {
		return words
	}
	if s.Wide {
		return c.Whole()
	}
	return c.Text(room)
}

// whoWords returns the words of a chain that is not a stack, such as "before attach"; ok is false for a stack. They are
// recognised by the blank, which no function that stands alone has in its name.
func whoWords(c analysis.Who, s text.Style) (words string, ok bool) {
	if len(c.Calls) != 1 || !strings.Contains(c.Calls[0], " ") {
		return "", false
	}
	words = s.Told(c.Calls[0])
	return words, words != c.Calls[0]
}

// appendStack appends the frames of a stack, a line each. end says why the walk ended early, "" where it did not.
func appendStack(b []byte, frames []analysis.Frame, end string, l text.Style) []byte {
	for _, f := range frames {
		b = appendFrame(b, f, l)
	}
	if end != "" {
		b = append(b, text.Clip(l.Say(" > (the walk ends here: %s)", text.Printable(end)), l.Lines())...)
		b = append(b, '\n')
	}
	return b
}

// appendFrame appends a frame as strace -k writes it. If the line is too long, the directories of the module and the
// source are left out first, then the address, as the function and the offset say the same.
func appendFrame(b []byte, f analysis.Frame, l text.Style) []byte {
	if f.Omitted > 0 {
		return append(b, l.Say(" > (%s not recorded: --max-frames)", l.Count(f.Omitted, "frame", "frames"))+"\n"...)
	}
	line := frameText(f, f.Module, f.File, true, l)
	if width := l.Lines(); width > 0 && text.Width(line) > width {
		module, file := path.Base(f.Module), f.File
		if file != "" {
			file = path.Base(file)
		}
		if line = frameText(f, module, file, true, l); text.Width(line) > width {
			line = frameText(f, module, file, f.Function == "", l)
		}
		line = text.Clip(line, width)
	}
	return append(append(b, line...), '\n')
}

func frameText(f analysis.Frame, module, file string, address bool, l text.Style) string {
	b := append([]byte(" > "), text.Printable(module)...)
	b = append(b, '(')
	b = append(b, text.Printable(f.Function)...)
	if f.Function != "" && !f.Inlined {
		b = append(b, "+0x"...)
		b = strconv.AppendUint(b, uint64(f.Offset-f.Start), 16)
	}
	b = append(b, ')')
	if address {
		b = append(b, " [0x"...)
		b = strconv.AppendUint(b, uint64(f.Offset), 16)
		b = append(b, ']')
	}
	if file != "" {
		b = append(b, ' ')
		b = append(b, text.Printable(file)...)
		b = append(b, ':')
		b = strconv.AppendInt(b, int64(f.Line), 10)
	}
	if f.Inlined {
		b = append(b, l.Word(" (inlined)")...)
	}
	return string(b)
}

// shortCell returns a cell with a label, which is shortened if there is no room: the noun and the owner are kept.
func shortCell(label string, s text.Style) text.Cell {
	return namedCell(s.Told(label))
}

// namedCell is shortCell for what is a name, and the same in every language.
func namedCell(label string) text.Cell {
	return text.Cell{Text: label, Fit: func(width int) string { return shortLabel(label, width) }}
}

// shorter lists words of labels with shorter ones that mean the same, in the order in which they are replaced.
var shorter = [...]struct{ long, short string }{
	{"glibc malloc arena", "glibc arena"}, {"code and data of ", ""}, {" of thread ", " of "}, {"thread stack", "stack"}, {"large allocations", "large"},
	{"anonymous memory", "memory"}, {"jemalloc extent", "jemalloc"},
	// The same in Chinese.
	{"glibc arena（分配区）", "glibc arena"}, {"jemalloc extent（区段）", "jemalloc"}, {" 个文件的代码和数据：", " 个文件："}, {"代码和数据：", ""}, {"：线程 ", "："}, {"大块分配", "大块"},
}

// shortLabel returns a label, indented or not, in at most width columns; 0 is no limit.
func shortLabel(label string, width int) string {
	for _, w := range shorter {
		if width <= 0 || text.Width(label) <= width {
			return label
		}
		label = strings.Replace(label, w.long, w.short, 1)
		if w.short == " of " || w.short == "：" {
			label = withoutTID(label, w.short)
		}
	}
	return text.Clip(label, width)
}

// withoutTID removes the tid of a thread that has a name: "glibc arena of 31014 worker".
func withoutTID(label, of string) string {
	before, rest, ok := strings.Cut(label, of)
	if !ok {
		return label
	}
	tid, name, ok := strings.Cut(rest, " ")
	if _, err := strconv.Atoi(tid); err != nil || !ok || name == "" {
		return label
	}
	return before + of + name
}
