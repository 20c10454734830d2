package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// appendHead says whether it is memory: what is mapped in p altogether, how much of it can be used and is in memory, how
// it ended, and what it presses on.
func appendHead(b []byte, r *analysis.Report, p *analysis.ReportProcess, l text.Style) []byte {
	b = append(b, text.Fold(headText(r, p, l), l.Lines(), "  ")+"\n"...)
	if r.Only != "" {
		return b // what is chosen presses on nothing for itself
	}
	b = append(b, text.Fold(verdictOf(p, l), l.Lines(), "  ")+"\n"...)
	return append(b, text.Fold(boundsText(p, l), l.Lines(), "        ")+"\n"...)
}

func headText(r *analysis.Report, p *analysis.ReportProcess, l text.Style) string {
	usable := fmt.Sprintf("%s usable in %s, %s", l.Size(p.Total.Committed), text.Count(p.Total.Mappings, "mapping", "mappings"), residentText(r, p, l))
	if r.Mode == "map" {
		return fmt.Sprintf("%s: %s of addresses, %s; %s of the addresses are known", mappedName(p), l.Size(p.Total.Reserved), usable, text.Percent(p.Known, p.Total.Reserved)) + onlyText(&r.At)
	}
	when := momentText(&r.At)
	if p.Ended && r.Moment == "end" {
		when = "its end, " + text.When(p.Until)
	}
	peak := ""
	if r.Moment != "peak" || p.Peak != p.Total.Reserved {
		peak = fmt.Sprintf(" (peak %s at %s)", l.Size(p.Peak), text.When(p.PeakT))
	}
	t := fmt.Sprintf("pid %d %s: %s of addresses mapped at %s%s, %s; %s explained", p.PID, processText(p.Name, p.Exe), l.Size(p.Total.Reserved), when, peak, usable,
		text.Percent(p.Explained, p.Total.Reserved))
	if e := exitText(p); e != "" && e != "exit status 0" {
		t += "; " + e
	}
	return t + onlyText(&r.At)
}

// mappedName is what a map is of: "redis-server 4711", and less where a file tells less.
func mappedName(p *analysis.ReportProcess) string {
	name := processText(p.Name, p.Exe)
	switch {
	case p.PID == 0 && p.Name == "" && p.Exe == "":
		return "a process"
	case p.PID == 0:
		return name
	}
	return fmt.Sprintf("%s %d", name, p.PID)
}

func residentText(r *analysis.Report, p *analysis.ReportProcess, l text.Style) string {
	if p.ResidentAt == nil || p.Total.Resident == nil {
		return "bytes in memory not recorded"
	}
	size := l.Size(*p.Total.Resident) + " in memory"
	if n := p.Total.Common; n != nil && *n > 0 {
		size += ", " + l.Size(*n) + " of them shared"
	}
	if n := p.Total.Huge; n != nil && *n > 0 {
		size += ", " + l.Size(*n) + " in huge pages"
	}
	if n := p.Total.Uncounted; n > 0 {
		size += " (" + l.Size(n) + " were not counted)"
	}
	if n := p.Total.Swapped; n != nil && *n > 0 {
		size += ", " + l.Size(*n) + " swapped"
	}
	if d := *p.ResidentAt - min(r.T, p.Until); d > 50e6 || d < -50e6 {
		size += " (counted at " + text.When(*p.ResidentAt) + ", the nearest snapshot)"
	}
	return size
}

// exitText is how a process ended: "exit status 3", "killed by SIGKILL", "" where it had not, or that was not seen.
func exitText(p *analysis.ReportProcess) string {
	killed := ""
	if p.Kills != nil && *p.Kills > 0 {
		killed = fmt.Sprintf(" (the OOM killer killed %s of its cgroup during the recording)", text.Count(int(*p.Kills), "process", "processes"))
	}
	switch x := p.Exit; {
	case x == nil:
		return strings.Trim(strings.TrimPrefix(killed, " "), "()")
	case x.Signal != nil && x.Name != "":
		return "killed by " + x.Name + killed
	case x.Signal != nil:
		return "killed by signal " + strconv.Itoa(*x.Signal) + killed
	case x.Code != nil:
		return "exit status " + strconv.Itoa(*x.Code) + killed
	}
	return ""
}

// verdictOf answers in a sentence whether a process presses on memory.
func verdictOf(p *analysis.ReportProcess, l text.Style) string {
	var near []string
	for i := range p.Bounds {
		if x := &p.Bounds[i]; x.Near {
			near = append(near, boundText(x, l))
		}
	}
	if len(near) > 0 {
		return "It presses on " + strings.Join(near, "; ") + "."
	}
	t := "Nothing here presses on memory"
	if p.Total.Resident != nil && p.Total.Uncounted == 0 && p.Total.Reserved > 0 {
		t += ": " + text.Share(*p.Total.Resident, p.Total.Reserved) + " of the addresses are in memory, no limit that was recorded is near"
	} else {
		t += " as far as it was recorded"
	}
	return t + "."
}

// boundNames are what people call the bounds.
func boundName(b *analysis.Bound) string {
	switch b.Name {
	case "rlimit_as":
		return "RLIMIT_AS"
	case "rlimit_data":
		return "RLIMIT_DATA"
	case "rlimit_memlock":
		return "RLIMIT_MEMLOCK"
	case "max_map_count":
		return "mappings"
	case "cgroup_max":
		return "cgroup memory.max"
	case "cgroup_high":
		return "cgroup memory.high"
	case "commit_limit":
		return "overcommit"
	case "hugepages":
		return "huge pages"
	}
	return b.Name
}

// boundText is a bound that there is: "RLIMIT_AS 94.5 MiB of 97.6 MiB (96 %), 3 calls refused".
func boundText(b *analysis.Bound, l text.Style) string {
	size := l.Size
	if b.Name == "max_map_count" || b.Name == "hugepages" {
		size = text.Thousands
	}
	name := boundName(b) + " "
	var t string
	switch {
	case b.Value == nil:
		t = strings.TrimSpace(name)
	case b.Used == nil:
		t = name + size(*b.Value) + ", use not recorded"
	default:
		t = name + size(*b.Used) + " of " + size(*b.Value)
		if *b.Value > 0 && b.Name != "hugepages" {
			t += " (" + text.Share(*b.Used, *b.Value) + ")"
		}
	}
	if b.Hits != nil && *b.Hits > 0 {
		t += ", hit " + timesText(int(*b.Hits))
	}
	if b.Refused > 0 {
		t += ", " + text.Count(b.Refused, "call", "calls") + " refused"
	}
	return t
}

// boundsText says of everything that memory can run against how near it is: "limits: mappings 212 of 65,530 (<1 %); no
// RLIMIT_AS, RLIMIT_DATA; not recorded: …".
func boundsText(p *analysis.ReportProcess, l text.Style) string {
	var there, none, unknown []string
	for i := range p.Bounds {
		switch b := &p.Bounds[i]; b.State {
		case analysis.Limited:
			there = append(there, boundText(b, l))
		case analysis.Unlimited:
			none = append(none, boundName(b))
		default:
			unknown = append(unknown, boundName(b))
		}
	}
	parts := there
	if len(none) > 0 {
		parts = append(parts, "none by "+strings.Join(none, ", "))
	}
	if len(unknown) > 0 {
		parts = append(parts, "not recorded: "+strings.Join(unknown, ", "))
	}
	return "limits: " + strings.Join(parts, "; ")
}

// processTable lists the processes of a report, a line each.
func processTable(r *analysis.Report, l text.Style) *text.Table {
	t := &text.Table{Columns: []text.Column{
		{Head: "PID", Right: true}, {Head: "PEAK", Right: true, Color: text.Number}, {Head: "RESERVED", Right: true, Color: text.Number, Spare: 2},
		{Head: "RESIDENT", Right: true, Color: text.Number}, {Head: "ENDED", Limit: 30, Spare: 1}, {Head: "COMMAND", Color: text.Kind},
	}}
	shown := r.Processes
	if l.Rows > 0 && len(shown) > l.Rows+1 {
		shown = shown[:l.Rows]
	}
	for i := range shown {
		p := &shown[i]
		ended := exitText(&analysis.ReportProcess{Exit: p.Exit})
		switch {
		case !p.Ended:
			ended = "-"
		case ended == "":
			ended = "?"
		}
		t.Add(text.Plain(strconv.Itoa(p.PID)), text.Plain(l.Size(p.Peak)), text.Plain(l.Size(p.Total.Reserved)), text.Plain(counted(&p.Total, p.Total.Resident, l)), text.Plain(ended),
			text.Plain(processText(p.Name, p.Exe)))
	}
	if more := len(r.Processes) - len(shown); more > 0 {
		t.Add(text.Banner(fmt.Sprintf("(%d more, smaller ones: --all shows them)", more))...)
	}
	return t
}

// nextText names the one command that goes a step deeper, by what there is to see.
func nextText(r *analysis.Report, rows []analysis.Row, l text.Style) string {
	p := &r.Processes[0]
	next := fmt.Sprintf("vmblame report --by stack %s", l.Log)
	switch x := largest(rows); {
	case r.Source != "":
		next = "vmblame map -o FILE " + text.Printable(shellWords([]string{r.Source}))
	case r.Mode == "map":
		next = fmt.Sprintf("vmblame attach %d", p.PID)
	case len(r.Refused) > 0:
		next = "vmblame failed " + l.Log
	case r.Moment == "end" && r.Only == "" && p.Tidied():
		next = "vmblame report " + atMoment(l.Log, "peak")
	case r.Mode == "attach" && p.Explained*2 < p.Total.Reserved && len(p.Argv) > 0 && p.Argv[0] != "":
		next = "vmblame run -- " + text.Printable(shellWords(p.Argv))
	case x != nil:
		next = fmt.Sprintf("vmblame blame %s %x-%x", l.Log, uint64(x.Start), uint64(x.End))
	case r.By == analysis.ByStack:
		next = "vmblame report --by kind " + l.Log
	}
	return text.Commands("next: ", l.Lines(), next)
}

// atMoment is the name of a log, as a shell takes it, with a moment.
func atMoment(log, moment string) string {
	log = strings.TrimSuffix(log, "@end")
	if quoted, ok := strings.CutSuffix(log, "'"); ok {
		return strings.TrimSuffix(quoted, "@end") + "@" + moment + "'"
	}
	return log + "@" + moment
}

// shellWords are words as a shell takes them.
func shellWords(words []string) string {
	list := make([]string, len(words))
	for i, w := range words {
		if list[i] = w; w == "" || strings.ContainsAny(w, " \t\n'\"\\$&|;<>()*?[]#~`!{}") {
			list[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(list, " ")
}
