package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// appendHead answers whether memory is a problem: how much is mapped in p, how much of it is usable and resident, how
// it ended, and which limits it is close to.
func appendHead(b []byte, r *analysis.Report, p *analysis.ReportProcess, l text.Style) []byte {
	b = append(b, text.Fold(headText(r, p, l), l.Lines(), "  ")+"\n"...)
	if r.Only != "" {
		return b // limits do not apply to a part chosen by a filter
	}
	b = append(b, text.Fold(verdictOf(p, l), l.Lines(), "  ")+"\n"...)
	return append(b, text.Fold(boundsText(p, l), l.Lines(), strings.Repeat(" ", text.Width(l.Say("limits: %s", ""))))+"\n"...)
}

func headText(r *analysis.Report, p *analysis.ReportProcess, l text.Style) string {
	usable := l.Say("%s usable in %s, %s", l.Size(p.Total.Committed), l.Count(p.Total.Mappings, "mapping", "mappings"), residentText(r, p, l))
	if r.Mode == "map" {
		return l.Say("%s: %s of addresses, %s; %s of the addresses are known", mappedName(p, l), l.Size(p.Total.Reserved), usable, text.Percent(p.Known, p.Total.Reserved)) + onlyText(&r.At, l)
	}
	when := atText(r, p, l)
	peak := ""
	if r.Moment != "peak" || p.Peak != p.Total.Reserved {
		peak = l.Say(" (peak %s at %s)", l.Size(p.Peak), text.When(p.PeakT))
	}
	t := l.Say("pid %d %s: %s of addresses mapped at %s%s, %s; %s explained", p.PID, processText(p.Name, p.Exe), l.Size(p.Total.Reserved), when, peak, usable,
		text.Percent(p.Explained, p.Total.Reserved))
	if e := exitText(p, l); e != "" && !endedWell(p) {
		t += l.Word("; ") + e
	}
	return t + onlyText(&r.At, l)
}

// atText names the moment at which p is shown. For a process that has ended it is its end.
func atText(r *analysis.Report, p *analysis.ReportProcess, l text.Style) string {
	if p.Ended && r.Moment == "end" {
		return l.Say("its end, %s", text.When(p.Until))
	}
	return momentText(&r.At, l)
}

// mappedName returns what a map shows: "redis-server 4711", or less if a saved file says less.
func mappedName(p *analysis.ReportProcess, l text.Style) string {
	name := processText(p.Name, p.Exe)
	switch {
	case p.PID == 0 && p.Name == "" && p.Exe == "":
		return l.Word("a process")
	case p.PID == 0:
		return name
	}
	return fmt.Sprintf("%s %d", name, p.PID)
}

func residentText(r *analysis.Report, p *analysis.ReportProcess, l text.Style) string {
	if p.ResidentAt == nil || p.Total.Resident == nil {
		return l.Word("bytes in memory not recorded")
	}
	size := l.Say("%s in memory", l.Size(*p.Total.Resident))
	if n := p.Total.Common; n != nil && *n > 0 {
		size += l.Say(", %s of them shared", l.Size(*n))
	}
	if n := p.Total.Huge; n != nil && *n > 0 {
		size += l.Say(", %s in huge pages", l.Size(*n))
	}
	if n := p.Total.Uncounted; n > 0 {
		size += l.Say(" (%s were not counted)", l.Size(n))
	}
	if n := p.Total.Swapped; n != nil && *n > 0 {
		size += l.Say(", %s swapped", l.Size(*n))
	}
	if d := *p.ResidentAt - min(r.T, p.Until); d > 50e6 || d < -50e6 {
		size += l.Say(" (counted at %s, the nearest snapshot)", text.When(*p.ResidentAt))
	}
	return size
}

// exitText is how a process ended: "exit status 3", "killed by SIGKILL", "" where it had not, or that was not seen.
func exitText(p *analysis.ReportProcess, l text.Style) string {
	killed, also := "", ""
	if p.Kills != nil && *p.Kills > 0 {
		killed = l.Say("the OOM killer killed %s of its cgroup during the recording", l.Count(int(*p.Kills), "process", "processes"))
		also = l.Say(" (%s)", killed)
	}
	switch x := p.Exit; {
	case x == nil:
		return killed
	case x.Signal != nil && x.Name != "":
		return l.Say("killed by %s", x.Name) + also
	case x.Signal != nil:
		return l.Say("killed by signal %d", *x.Signal) + also
	case x.Code != nil:
		return l.Say("exit status %d", *x.Code) + also
	}
	return ""
}

// endedWell reports whether a process ended with status 0, and no other of its cgroup was killed.
func endedWell(p *analysis.ReportProcess) bool {
	return p.Exit != nil && p.Exit.Signal == nil && p.Exit.Code != nil && *p.Exit.Code == 0 && (p.Kills == nil || *p.Kills <= 0)
}

// verdictOf says in a sentence whether a process is close to a limit on its memory.
func verdictOf(p *analysis.ReportProcess, l text.Style) string {
	var near []string
	for i := range p.Bounds {
		if x := &p.Bounds[i]; x.Near {
			near = append(near, boundText(x, l))
		}
	}
	if len(near) > 0 {
		return l.Say("Memory pressure: %s.", strings.Join(near, l.Word("; ")))
	}
	if p.Total.Resident != nil && p.Total.Uncounted == 0 && p.Total.Reserved > 0 {
		return l.Say("No memory pressure: %s of the addresses are in memory, and no recorded limit is near.", text.Share(*p.Total.Resident, p.Total.Reserved))
	}
	return l.Word("No memory pressure, as far as was recorded.")
}

// boundNames are what people call the bounds.
func boundName(b *analysis.Bound, l text.Style) string {
	switch b.Name {
	case "rlimit_as":
		return "RLIMIT_AS"
	case "rlimit_data":
		return "RLIMIT_DATA"
	case "rlimit_memlock":
		return "RLIMIT_MEMLOCK"
	case "max_map_count":
		return l.Word("mappings")
	case "cgroup_max":
		return "cgroup memory.max"
	case "cgroup_high":
		return "cgroup memory.high"
	case "commit_limit":
		return l.Word("overcommit")
	case "hugepages":
		return l.Word("huge pages")
	}
	return b.Name
}

// boundText describes a bound that has a limit: "RLIMIT_AS 94.5 MiB of 97.6 MiB (96 %), 3 calls refused".
func boundText(b *analysis.Bound, l text.Style) string {
	size := l.Size
	if b.Name == "max_map_count" || b.Name == "hugepages" {
		size = text.Thousands
	}
	name := boundName(b, l) + " "
	var t string
	switch {
	case b.Value == nil:
		t = strings.TrimSpace(name)
	case b.Used == nil:
		t = name + l.Say("%s, use not recorded", size(*b.Value))
	default:
		t = name + l.Say("%s of %s", size(*b.Used), size(*b.Value))
		if *b.Value > 0 && b.Name != "hugepages" {
			t += l.Say(" (%s)", text.Share(*b.Used, *b.Value))
		}
	}
	if b.Hits != nil && *b.Hits > 0 {
		t += l.Say(", hit %s", timesText(int(*b.Hits), l))
	}
	if b.Refused > 0 {
		t += l.Say(", %s refused", l.Count(b.Refused, "call", "calls"))
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
			none = append(none, boundName(b, l))
		default:
			unknown = append(unknown, boundName(b, l))
		}
	}
	parts := there
	if len(none) > 0 {
		parts = append(parts, l.Say("none by %s", strings.Join(none, l.Word(", "))))
	}
	if len(unknown) > 0 {
		parts = append(parts, l.Say("not recorded: %s", strings.Join(unknown, l.Word(", "))))
	}
	return l.Say("limits: %s", strings.Join(parts, l.Word("; ")))
}

// processTable lists the first n processes, all for 0, one in each line. where says how to see the others.
func processTable(list []analysis.ReportProcess, n int, where string, l text.Style) *text.Table {
	t := &text.Table{Columns: []text.Column{
		{Head: "PID", Right: true}, {Head: "PEAK", Right: true, Color: text.Number}, {Head: "RESERVED", Right: true, Color: text.Number, Spare: 2},
		{Head: "RESIDENT", Right: true, Color: text.Number}, {Head: "ENDED", Limit: 30, Spare: 1}, {Head: "COMMAND", Color: text.Kind},
	}}
	shown := list
	if n > 0 && len(shown) > n+1 {
		shown = shown[:n]
	}
	for i := range shown {
		p := &shown[i]
		ended := exitText(&analysis.ReportProcess{Exit: p.Exit}, l)
		switch {
		case !p.Ended:
			ended = "-"
		case ended == "":
			ended = "?"
		}
		t.Add(text.Plain(strconv.Itoa(p.PID)), text.Plain(l.Size(p.Peak)), text.Plain(l.Size(p.Total.Reserved)), text.Plain(counted(&p.Total, p.Total.Resident, l)), text.Plain(ended),
			text.Plain(processText(p.Name, p.Exe)))
	}
	if more := len(list) - len(shown); more > 0 {
		t.Add(text.Banner(l.Say("(%d more, smaller ones: %s)", more, where))...)
	}
	return t
}

// nextText names the one command that shows more detail, depending on what there is to see.
func nextText(r *analysis.Report, p *analysis.ReportProcess, rows []analysis.Row, l text.Style) string {
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
		next = blameCommand(l.Log, r.Processes, p, x)
	case r.By == analysis.ByStack:
		next = "vmblame report --by kind " + l.Log
	}
	return text.Commands(l.Word("next: "), l.Lines(), next)
}

// blameCommand asks who made a range of p, one of several processes.
func blameCommand(log string, all []analysis.ReportProcess, p *analysis.ReportProcess, x *analysis.Range) string {
	pid := ""
	if len(all) > 1 {
		pid = fmt.Sprintf("--pid %d ", p.PID)
	}
	return fmt.Sprintf("vmblame blame %s%s %x-%x", pid, log, uint64(x.Start), uint64(x.End))
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
