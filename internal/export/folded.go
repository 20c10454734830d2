package export

import (
	"bufio"
	"io"
	"strconv"
	"strings"
)

// WriteFolded writes one value of p as flamegraph.pl reads it: a line for each stack, outermost call first, with
// semicolons between, and the value. In front stands the process, at the end in brackets what is mapped, or the system
// call. Of a difference there are two values, before and after, as difffolded.pl writes them.
func (p *Profile) WriteFolded(w io.Writer, v Value) error {
	out := bufio.NewWriter(w)
	type line struct{ was, now int64 }
	by := map[string]*line{}
	var order []string
	for _, s := range p.samples {
		if s.now[v] == 0 && s.was[v] == 0 {
			continue
		}
		name := s.folded()
		l := by[name]
		if l == nil {
			l = &line{}
			by[name] = l
			order = append(order, name)
		}
		l.was += s.was[v]
		l.now += s.now[v]
	}
	for _, name := range order {
		out.WriteString(name)
		if p.difference {
			out.WriteString(" " + strconv.FormatInt(by[name].was, 10))
		}
		out.WriteString(" " + strconv.FormatInt(by[name].now, 10) + "\n")
	}
	return out.Flush()
}

// folded is the sample's stack in one line.
func (s *sample) folded() string {
	names := s.names()
	var b strings.Builder
	b.WriteString(foldedName(s.process))
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteByte(';')
		b.WriteString(foldedName(names[i]))
	}
	b.WriteString(";[" + foldedName(s.kind+s.call) + "]") // a sample has one of them
	return b.String()
}

// foldedName keeps names apart from what stands between them.
func foldedName(name string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ';':
			return ':'
		case '\n', '\r':
			return ' '
		}
		return r
	}, name)
}
