package report

import (
	"fmt"
	"strings"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

// text is what a Summary says at the end.
func (s *Summary) text(end *eventlog.End) []byte {
	var b []byte
	say := func(format string, args ...any) {
		b = append(b, "vmblame: "...)
		b = fmt.Appendf(b, format, args...)
		b = append(b, '\n')
	}
	list, more := s.processes()

	by := "by " + countText(len(s.callers), "thread")
	if len(list)+more > 1 {
		by += " of " + text.Count(len(list)+more, "process", "processes")
	}
	to := ""
	if s.o.Log != "" {
		to = " -> " + s.o.Log
	}
	say("%s %s in %s%s", countText(s.calls, "mapping call"), by, text.Seconds(end.T), to)

	when := map[string]string{"exit": "at exit", "detach": "at detach", "duration": "at detach"}[end.Cause]
	if when == "" {
		when = "at the end"
	}
	verdict := s.verdict(end, when)
	var scene *Scene
	if s.o.Scene != nil {
		scene = s.o.Scene()
	}
	var hints []byte
	for i, sp := range list {
		o := sp.owners
		line := fmt.Sprintf("%s mapped %s (peak %s), %s explained",
			text.Size(o.mapped), when, peakText(o.mapped, o.peak), text.Percent(o.explained(), o.mapped))
		if len(list)+more > 1 {
			at := when
			if sp.ended {
				at = "at exit"
			}
			line = fmt.Sprintf("pid %d %s: %s mapped %s (peak %s), %s explained",
				sp.pid, sp.name(), text.Size(o.mapped), at, peakText(o.mapped, o.peak), text.Percent(o.explained(), o.mapped))
		}
		if i == 0 {
			line += "; " + verdict
		}
		say("%s", line)
		if i == 0 {
			b = s.appendDrift(b)
		}
		b = append(b, '\n')
		if p := scene.process(sp.id); p != nil {
			b = scene.kindTable(b, p, s.o)
			hints = scene.hint(hints, p, s.o)
			if x := p.largest(); i == 0 && x != nil && len(s.o.Next) > 0 {
				s.o.Next = append(s.o.Next, fmt.Sprintf("vmblame blame %s %x-%x", s.o.Quoted, x.Start, x.End))
			}
		} else {
			b = s.table(sp).appendText(b, s.o)
		}
		b = append(b, '\n')
	}
	if more > 0 {
		// The list is of the first process and of the largest others.
		say("%s not shown: the tables are of the first and of the largest others", text.Count(more, "more process", "more processes"))
	}
	b = append(b, hints...)
	if len(s.o.Next) > 0 {
		b = append(b, "next: "+strings.Join(s.o.Next, "    ")+"\n"...)
	}
	return b
}

// verdict says whether the ledgers were held against the kernel's view, and what came of it.
func (s *Summary) verdict(end *eventlog.End, when string) string {
	switch {
	case end.Checks == 0:
		return "not compared with the kernel's view"
	case s.drifts.others > 0:
		return "the ledger differed from the kernel's and was set right"
	case s.notes["unverified"]:
		return "killed before the last comparison with the kernel's"
	case end.Checks == 1:
		return "the ledger equalled the kernel's " + when
	}
	return fmt.Sprintf("the ledger equalled the kernel's in all %d comparisons", end.Checks)
}

func (s *Summary) appendDrift(b []byte) []byte {
	d := &s.drifts
	if d.growths > 0 {
		b = fmt.Appendf(b, "vmblame: stack growth, without a call: %s, %s\n", timesText(d.growths), text.Size(d.grownBytes))
	}
	if d.others > 0 {
		b = fmt.Appendf(b, "vmblame: drift, changes that no traced call explains: %s, %s; guess: %s\n",
			timesText(d.others), text.Size(d.changed), text.Printable(strings.Join(d.guesses, ", ")))
	}
	return b
}

func timesText(n int) string {
	if n == 1 {
		return "once"
	}
	if n == 2 {
		return "twice"
	}
	return fmt.Sprintf("%d times", n)
}
