package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// How much of a report a summary shows: so many processes, rows of one, and parts of a row.
const (
	summaryProcesses = 8
	summaryRows      = 10
	summaryParts     = 3
)

// Summary returns the text of a Summary, which is the beginning of a report: of several processes a table, then the
// head of the first process and what the largest holds. If the program gave back most of its memory before it ended, it
// is the report of its peak. If l names a log, it ends with the commands that show more.
func Summary(s *analysis.Summary, l text.Style) []byte {
	var b []byte
	say := func(line string) {
		b = append(b, text.Fold("vmblame: "+line, l.Lines(), "  ")+"\n"...)
	}
	end := s.End
	if end == nil {
		end = &analysis.End{End: eventlog.End{T: s.Report.T}}
	}
	to := ""
	if s.Log != "" {
		to = " -> " + text.Printable(s.Log)
	}
	calls, threads := l.Count(s.Calls, "mapping call", "mapping calls"), l.Count(s.Threads, "thread", "threads")
	if s.Processes > 1 {
		say(l.Say("%s by %s of %s in %s%s", calls, threads, l.Count(s.Processes, "process", "processes"), text.Seconds(end.T), to))
	} else {
		say(l.Say("%s by %s in %s%s", calls, threads, text.Seconds(end.T), to))
	}

	list := s.Report.Processes
	if len(list) == 0 {
		return b
	}
	first, most := &list[0], s.Largest()
	if most != first {
		b = appendSummaryHead(b, s, first, end, l)
	}
	if len(list) > 1 {
		b = append(summaryTable(s, l).Append(append(b, '\n'), l), '\n')
	}
	b = appendSummaryHead(b, s, most, end, l)
	of, was := s.Report, most
	if q := atPeak(s, most); q != nil {
		of, was = s.Peak, q
		if s.Processes > 1 { // each one's own may have been at another time
			say(l.Say("what follows is of the peak of all processes together, %s:", text.When(s.Peak.T)))
		} else {
			say(l.Say("what follows is of the peak, %s:", text.When(s.Peak.T)))
		}
	}
	rows := shownRows(of, was.Holders, l)
	if b = append(b, '\n'); l.Rows > 0 {
		b = rowTable(of, was, topRows(rows, l.Rows), l).Append(b, l)
	} else {
		b = rowTable(of, was, firstOf(rows), l).Append(b, l)
	}
	b = appendHints(append(b, '\n'), was.Advice[:min(len(was.Advice), 1)], l)
	return append(b, summaryNext(s, most, largest(rows), l)...)
}

// appendSummaryHead writes how much p has mapped, whether it is close to a limit and, for the first process, what is
// known of the recording itself.
func appendSummaryHead(b []byte, s *analysis.Summary, p *analysis.ReportProcess, end *analysis.End, l text.Style) []byte {
	when := endText(end.Cause, l)
	if p.Ended {
		when = l.Word("at exit")
	}
	name := ""
	if s.Processes > 1 {
		name = l.Say("pid %d %s: ", p.PID, processText(p.Name, p.Exe))
	}
	first := p == &s.Report.Processes[0]
	line := l.Say("%s%s mapped %s (peak %s at %s), %s explained", name, l.Size(p.Total.Reserved), when, l.Size(p.Peak), text.When(p.PeakT), text.Percent(p.Explained, p.Total.Reserved))
	if first {
		line += l.Word("; ") + verdictText(s, end, l)
	}
	if e := exitText(p, l); e != "" && !endedWell(p) {
		line += l.Word("; ") + e
	}
	b = append(b, text.Fold("vmblame: "+line, l.Lines(), "  ")+"\n"...)
	b = append(b, text.Fold("vmblame: "+verdictOf(p, l), l.Lines(), "  ")+"\n"...)
	if first {
		b = appendUnexplained(b, s, l)
		b = append(b, refusedText(s.Report.Refused, l)...)
	}
	return append(b, advisedText(p.Advised, l)...)
}

// summaryTable is the table of the processes, the first one first, then the largest.
func summaryTable(s *analysis.Summary, l text.Style) *text.Table {
	where := l.Word("in the report")
	if l.Log != "" {
		where = "vmblame report --all " + l.Log
	}
	list := s.Report.Processes
	n := summaryProcesses
	if l.Rows > 0 {
		n = min(n, max(l.Rows/2, 3))
	}
	t := processTable(list[:min(n, len(list))], 0, "", l)
	if more := s.Processes - min(n, len(list)); more > 0 {
		t.Add(text.Banner(text.Fold(l.Say("(%d more, smaller ones: %s)", more, where), l.Lines(), " "))...)
	}
	return t
}

// summaryNext are the commands that show more, x being the largest mapping of p.
func summaryNext(s *analysis.Summary, p *analysis.ReportProcess, x *analysis.Range, l text.Style) string {
	if l.Log == "" {
		return ""
	}
	log := l.Log
	if s.Peak != nil {
		log = atMoment(log, "peak")
	}
	next := []string{"vmblame report " + log}
	if x != nil {
		next = append(next, blameCommand(log, s.Report.Processes, p, x))
	}
	return text.Commands(l.Word("next: "), l.Lines(), next...)
}

// firstOf returns the first rows with as many parts as there is room for; the others are summed up.
func firstOf(rows []analysis.Row) []analysis.Row {
	rows = slices.Clone(firstRows(rows, summaryRows))
	for i := range rows {
		rows[i].Parts = firstRows(rows[i].Parts, summaryParts)
	}
	return rows
}

// firstRows returns the first n rows, and a row that sums up the others if there are more than one.
func firstRows(rows []analysis.Row, n int) []analysis.Row {
	if len(rows) <= n+1 {
		return rows
	}
	rest := sumRow(rows[n:])
	rest.Label = fmt.Sprintf("(%d smaller)", rest.Smaller)
	return append(slices.Clone(rows[:n]), rest)
}

// sumRow sums rows up in one.
func sumRow(rows []analysis.Row) (sum analysis.Row) {
	for i := range rows {
		sum.Add(&rows[i].Totals)
		sum.VMAs += rows[i].VMAs
	}
	sum.Smaller = len(rows)
	return sum
}

// atPeak returns the process as it was at the peak of the recording, nil if its end shows as much.
func atPeak(s *analysis.Summary, p *analysis.ReportProcess) *analysis.ReportProcess {
	if s.Peak == nil || !p.Tidied() {
		return nil
	}
	for i := range s.Peak.Processes {
		if q := &s.Peak.Processes[i]; q.PID == p.PID {
			return q
		}
	}
	return nil
}

// endText says why the recording ended.
func endText(cause string, l text.Style) string {
	switch cause {
	case "exit":
		return l.Word("at exit")
	case "detach", "duration":
		return l.Word("at detach")
	}
	return l.Word("at the end")
}

// verdictText says whether the ledgers were compared with the kernel's view, and with what result.
func verdictText(s *analysis.Summary, end *analysis.End, l text.Style) string {
	switch {
	case end.Checks == 0:
		return l.Word("not compared with the kernel's view")
	case s.Drift.Times > 0:
		return l.Word("the ledger differed from the kernel's and was set right")
	case s.Unverified:
		return l.Word("the last comparison with the kernel's view is missing")
	case end.Checks == 1:
		return l.Say("the ledger equalled the kernel's %s", endText(end.Cause, l))
	}
	return l.Say("the ledger equalled the kernel's in all %d comparisons", end.Checks)
}

func appendUnexplained(b []byte, s *analysis.Summary, l text.Style) []byte {
	if d := &s.Growth; d.Times > 0 {
		t := "vmblame: " + l.Say("stack growth, without a call: %s, %s", timesText(d.Times, l), l.Size(d.Bytes))
		b = append(b, text.Fold(t, l.Lines(), "  ")+"\n"...)
	}
	if d := &s.Drift; d.Times > 0 {
		t := "vmblame: " + l.Say("drift, changes that no traced call explains: %s, %s; guess: %s",
			timesText(d.Times, l), l.Size(d.Bytes), guessText(d.Guesses, l))
		b = append(b, text.Fold(t, l.Lines(), "  ")+"\n"...)
	}
	return b
}

// guessText lists the guesses of what the kernel has done, each once.
func guessText(guesses []string, l text.Style) string {
	list := make([]string, len(guesses))
	for i, g := range guesses {
		list[i] = l.Told(text.Printable(g))
	}
	return strings.Join(list, l.Word(", "))
}

func timesText(n int, l text.Style) string {
	switch n {
	case 1:
		return l.Word("once")
	case 2:
		return l.Word("twice")
	}
	return l.Say("%d times", n)
}
