package report

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// processText is what a process is called, and the file that it runs where that is called otherwise: "redis-server
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
func momentText(a *analysis.At) string {
	m, _ := analysis.ParseMoment(a.Moment)
	switch m.Kind {
	case analysis.AtPeak:
		return "the peak, " + text.When(a.T)
	case analysis.AtStart:
		return "the start, " + text.When(a.T)
	case analysis.AtTime:
		return text.When(m.T)
	case analysis.AtSeq:
		return "event " + strconv.FormatUint(m.Seq, 10) + ", " + text.When(a.T)
	}
	if a.Cut {
		return "the cut, " + text.When(a.T)
	}
	return "the end, " + text.When(a.T)
}

// whoCell is a cell with the calls that made something, shortened where there is no room.
func whoCell(c analysis.Who, s text.Style) text.Cell {
	if s.Wide {
		return text.Plain(c.Whole())
	}
	return text.Cell{Text: c.Text(0), Fit: c.Text}
}

// whoText is the calls that made something, elided where they need more than room; 0 is no limit.
func whoText(c analysis.Who, s text.Style, room int) string {
	if s.Wide {
		return c.Whole()
	}
	return c.Text(room)
}

// appendStack appends the frames of a stack, a line each. end says why the walk ended early, "" where it did not.
func appendStack(b []byte, frames []analysis.Frame, end string) []byte {
	for _, f := range frames {
		b = appendFrame(b, f)
	}
	if end != "" {
		b = fmt.Appendf(b, " > (the walk ends here: %s)\n", text.Printable(end))
	}
	return b
}

func appendFrame(b []byte, f analysis.Frame) []byte {
	if f.Omitted > 0 {
		return fmt.Appendf(b, " > (%s not recorded: --max-frames)\n", text.Count(f.Omitted, "frame", "frames"))
	}
	b = append(b, " > "...)
	b = append(b, text.Printable(f.Module)...)
	b = append(b, '(')
	b = append(b, text.Printable(f.Function)...)
	if f.Function != "" && !f.Inlined {
		b = append(b, "+0x"...)
		b = strconv.AppendUint(b, uint64(f.Offset-f.Start), 16)
	}
	b = append(b, ") [0x"...)
	b = strconv.AppendUint(b, uint64(f.Offset), 16)
	b = append(b, ']')
	if f.File != "" {
		b = append(b, ' ')
		b = append(b, text.Printable(f.File)...)
		b = append(b, ':')
		b = strconv.AppendInt(b, int64(f.Line), 10)
	}
	if f.Inlined {
		b = append(b, " (inlined)"...)
	}
	return append(b, '\n')
}
