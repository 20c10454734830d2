package report

import (
	"fmt"
	"path"
	"strconv"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// exeName is what a process is called: its executable's file name, printable.
func exeName(exe string) string {
	if exe == "" {
		return "?"
	}
	return text.Printable(path.Base(exe))
}

// threadText names a thread: "9838 worker", "" for none.
func threadText(tid int, name string) string {
	switch {
	case tid == 0:
		return ""
	case name == "":
		return strconv.Itoa(tid)
	}
	return strconv.Itoa(tid) + " " + name
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
