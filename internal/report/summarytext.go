package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// How much of a report a summary shows: so many processes, rows of each, and parts of a row.
const (
	summaryProcesses = 3
	summaryRows      = 10
	summaryParts     = 3
)

// Summary is the text of a Summary: of the first process and of the largest others what a report says first.
// Where l names a log, the commands that tell more stand at the end.
func Summary(s *analysis.Summary, l text.Style) []byte {
	var b []byte
	say := func(format string, args ...any) { b = fmt.Appendf(b, "vmblame: "+format+"\n", args...) }
	end := s.End
	if end == nil {
		end = &analysis.End{End: eventlog.End{T: s.Report.T}}
	}
	by := text.Count(s.Threads, "thread", "threads")
	if s.Processes > 1 {
		by += " of " + text.Count(s.Processes, "process", "processes")
	}
	to := ""
	if s.Log != "" {
		to = " -> " + text.Printable(s.Log)
	}
	say("%s by %s in %s%s", text.Count(s.Calls, "mapping call", "mapping calls"), by, text.Seconds(end.T), to)

	r := s.Report
	shown := r.Processes[:min(len(r.Processes), summaryProcesses)]
	var hints []byte
	next := "next: vmblame report " + l.Log
	for i := range shown {
		p := &shown[i]
		when := endText(end.Cause)
		if p.Ended {
			when = "at exit"
		}
		name := ""
		if s.Processes > 1 {
			name = fmt.Sprintf("pid %d %s: ", p.PID, processText(p.Name, p.Exe))
		}
		line := fmt.Sprintf("%s%s mapped %s (peak %s), %s explained", name, l.Size(p.Total.Reserved), when, l.Size(p.Peak), text.Percent(p.Explained, p.Total.Reserved))
		if i == 0 {
			line += "; " + verdictText(s, end)
		}
		say("%s", line)
		if i == 0 {
			b = appendUnexplained(b, s, l)
			b = append(b, refusedText(r.Refused, l)...)
		}
		rows := shownRows(r, p.Holders, l)
		b = rowTable(r, most(rows), l).Append(append(b, '\n'), l)
		b = append(b, '\n')
		hints = appendHints(hints, p.Advice[:min(len(p.Advice), 1)], l)
		if x := largest(rows); x != nil && i == 0 {
			next += fmt.Sprintf("    vmblame blame %s %x-%x", l.Log, uint64(x.Start), uint64(x.End))
		}
	}
	if more := s.Processes - len(shown); more > 0 {
		say("%s not shown: the tables are of the first and of the largest others", text.Count(more, "more process", "more processes"))
	}
	b = append(b, hints...)
	if l.Log != "" {
		b = append(b, next+"\n"...)
	}
	return b
}

// most returns the first rows with as many parts as there is room for; the others are summed up.
func most(rows []analysis.Row) []analysis.Row {
	rows = slices.Clone(firstRows(rows, summaryRows))
	for i := range rows {
		rows[i].Parts = firstRows(rows[i].Parts, summaryParts)
	}
	return rows
}

// firstRows are the first n rows, and one that sums up the others where those are more than one.
func firstRows(rows []analysis.Row, n int) []analysis.Row {
	if len(rows) <= n+1 {
		return rows
	}
	var rest analysis.Row
	for i := range rows[n:] {
		rest.Add(&rows[n+i].Totals)
	}
	rest.Smaller = len(rows) - n
	rest.Label = "(" + strconv.Itoa(rest.Smaller) + " smaller)"
	return append(slices.Clone(rows[:n]), rest)
}

// endText says why the recording ended.
func endText(cause string) string {
	switch cause {
	case "exit":
		return "at exit"
	case "detach", "duration":
		return "at detach"
	}
	return "at the end"
}

// verdictText says whether the ledgers were compared with the kernel's view, and with what result.
func verdictText(s *analysis.Summary, end *analysis.End) string {
	switch {
	case end.Checks == 0:
		return "not compared with the kernel's view"
	case s.Drift.Times > 0:
		return "the ledger differed from the kernel's and was set right"
	case s.Unverified:
		return "the last comparison with the kernel's view is missing"
	case end.Checks == 1:
		return "the ledger equalled the kernel's " + endText(end.Cause)
	}
	return fmt.Sprintf("the ledger equalled the kernel's in all %d comparisons", end.Checks)
}

func appendUnexplained(b []byte, s *analysis.Summary, l text.Style) []byte {
	if d := &s.Growth; d.Times > 0 {
		b = fmt.Appendf(b, "vmblame: stack growth, without a call: %s, %s\n", timesText(d.Times), l.Size(d.Bytes))
	}
	if d := &s.Drift; d.Times > 0 {
		b = fmt.Appendf(b, "vmblame: drift, changes that no traced call explains: %s, %s; guess: %s\n",
			timesText(d.Times), l.Size(d.Bytes), text.Printable(strings.Join(d.Guesses, ", ")))
	}
	return b
}

func timesText(n int) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return strconv.Itoa(n) + " times"
}
