package report

import (
	"fmt"
	"slices"
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

// Summary is the text of a Summary: the beginning of the report of the first process and of the largest others. For a
// program that gave back most of its memory before it ended, it is the report of its peak. If l names a log, the
// commands that show more follow.
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

	r := s.Report
	shown := r.Processes[:min(len(r.Processes), summaryProcesses)]
	var hints []byte
	var at *analysis.Range
	for i := range shown {
		p := &shown[i]
		when := endText(end.Cause, l)
		if p.Ended {
			when = l.Word("at exit")
		}
		name := ""
		if s.Processes > 1 {
			name = l.Say("pid %d %s: ", p.PID, processText(p.Name, p.Exe))
		}
		line := l.Say("%s%s mapped %s (peak %s at %s), %s explained", name, l.Size(p.Total.Reserved), when, l.Size(p.Peak), text.When(p.PeakT), text.Percent(p.Explained, p.Total.Reserved))
		if i == 0 {
			line += l.Word("; ") + verdictText(s, end, l)
		}
		if e := exitText(p, l); e != "" && !endedWell(p) {
			line += l.Word("; ") + e
		}
		say(line)
		say(verdictOf(p, l))
		if i == 0 {
			b = appendUnexplained(b, s, l)
			b = append(b, refusedText(r.Refused, l)...)
		}
		b = append(b, advisedText(p.Advised, l)...)
		of, was := r, p
		if q := atPeak(s, p); q != nil {
			of, was = s.Peak, q
			if s.Processes > 1 { // each one's own may have been at another time
				say(l.Say("what follows is of the peak of all processes together, %s:", text.When(s.Peak.T)))
			} else {
				say(l.Say("what follows is of the peak, %s:", text.When(s.Peak.T)))
			}
		}
		rows := shownRows(of, was.Holders, l)
		b = rowTable(of, was, most(rows), l).Append(append(b, '\n'), l)
		b = append(b, '\n')
		hints = appendHints(hints, was.Advice[:min(len(was.Advice), 1)], l)
		if x := largest(rows); x != nil && i == 0 {
			at = x
		}
	}
	if more := s.Processes - len(shown); more > 0 {
		say(l.Say("%s not shown: the tables are of the first and of the largest others", l.Count(more, "more process", "more processes")))
	}
	b = append(b, hints...)
	if l.Log != "" {
		log := l.Log
		if s.Peak != nil {
			log = atMoment(log, "peak")
		}
		next := []string{"vmblame report " + log}
		if at != nil {
			next = append(next, fmt.Sprintf("vmblame blame %s %x-%x", log, uint64(at.Start), uint64(at.End)))
		}
		b = append(b, text.Commands(l.Word("next: "), l.Lines(), next...)...)
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

// guessText is what the kernel may have done, each guess once.
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
