package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// Processes is the table of processes, a row for each. A figure that may not be read is "?". The largest kind is
// shown for the processes for which it was looked up.
func Processes(a *analysis.Processes, s text.Style) []byte {
	t := &text.Table{Columns: []text.Column{
		{Head: "PID", Right: true}, {Head: "PROCESS", Color: text.Kind, Limit: 24},
		{Head: "RESERVED", Right: true, Color: text.Number}, {Head: "COMMITTED", Right: true, Color: text.Number, Spare: 2},
		{Head: "RESIDENT", Right: true, Color: text.Number}, {Head: "SHARED", Right: true, Spare: 3}, {Head: "VMAS", Right: true, Spare: 4}, {Head: "OF LIMIT", Right: true, Spare: 1}, {Head: "LARGEST"},
	}}
	shown := a.List
	if s.Rows > 0 && len(shown) > s.Rows {
		shown = shown[:s.Rows]
	}
	for i := range shown {
		p := &shown[i]
		vmas, share := "?", "?"
		if p.VMAs != nil {
			vmas = strconv.FormatInt(*p.VMAs, 10)
			if a.Maps != nil {
				share = text.Percent(*p.VMAs, *a.Maps)
			}
		}
		largest := ""
		if l := p.Largest; l != nil {
			largest = s.Size(l.Reserved) + " " + s.Told(l.Label)
			if a.Sort == analysis.SortResident && l.Resident != nil {
				largest = s.Size(*l.Resident) + " " + s.Told(l.Label)
			}
		}
		t.Add(text.Plain(strconv.Itoa(p.PID)), text.Plain(p.Name), text.Plain(s.Size(p.Reserved)), text.Plain(s.Measured(p.Committed)),
			text.Plain(s.Measured(p.Resident)), text.Plain(s.Measured(p.Shared)), text.Plain(vmas), text.Plain(share), namedCell(largest))
	}
	b := t.Append(nil, s)
	if more := len(a.List) - len(shown); more > 0 {
		b = append(b, s.Say("(%d more)", more)+"\n"...)
	}
	return b
}

// Choose is a table of processes of one name, to choose from: what tells them apart is their arguments.
func Choose(list []analysis.ProcessMemory, s text.Style) string {
	t := &text.Table{Indent: 2, Columns: []text.Column{{Head: "PID", Right: true}, {Head: "RESIDENT", Right: true, Color: text.Number}, {Head: "RESERVED", Right: true, Color: text.Number}, {Head: "COMMAND"}}}
	for i := range list {
		p := &list[i]
		t.Add(text.Plain(strconv.Itoa(p.PID)), text.Plain(s.Measured(p.Resident)), text.Plain(s.Size(p.Reserved)), text.Plain(strings.Join(p.Command, " ")))
	}
	return fmt.Sprintf("\n%s", strings.TrimSuffix(string(t.Append(nil, s)), "\n"))
}
