package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// A judgement is a bound that the user set, and the result of checking it.
type judgement struct {
	name  string // "max-addresses"
	text  string // the value found, and the bound
	who   string // what takes the largest part of it, "" if unknown
	over  bool
	known bool // it was measured
}

// limits are the bounds of run, 0 for none.
type limits struct {
	addresses, resident sizeValue
	mappings            int
}

// any reports whether a limit is set.
func (l *limits) any() bool { return l.addresses > 0 || l.resident > 0 || l.mappings > 0 }

// judge checks each process against the limits, at the end of the recording and at its peak. For each limit it returns
// one judgement, about the process with the largest value. The texts are in the language of style.
func (l *limits) judge(s *analysis.Summary, style text.Style) []judgement {
	var list []judgement
	put := func(name string, bound int64, write func(int64) string, found func(size string) string, of func(p *analysis.ReportProcess) (n int64, known bool), by analysis.Sort) {
		if bound == 0 {
			return
		}
		j := judgement{name: name}
		var worst *analysis.ReportProcess
		var most int64
		for _, r := range []*analysis.Report{s.Report, s.Peak} {
			if r == nil {
				continue
			}
			for i := range r.Processes {
				n, known := of(&r.Processes[i])
				if j.known = j.known || known; known && (worst == nil || n > most) {
					worst, most = &r.Processes[i], n
				}
			}
		}
		if !j.known {
			j.text = style.Say("not measured: --%s %s", name, write(bound))
			list = append(list, j)
			return
		}
		j.over = most > bound
		j.text = fmt.Sprintf("%d %s: %s, --%s %s", worst.PID, worst.Name, found(write(most)), name, write(bound))
		if s.Peak != nil { // what there was then tells more
			for i := range s.Peak.Processes {
				if p := &s.Peak.Processes[i]; p.PID == worst.PID {
					worst = p
				}
			}
		}
		j.who = holderOf(worst, by, style)
		list = append(list, j)
	}
	put("max-addresses", int64(l.addresses), text.Size, func(n string) string { return style.Say("%s of addresses", n) }, func(p *analysis.ReportProcess) (int64, bool) { return p.Peak, true }, analysis.SortReserved)
	put("max-resident", int64(l.resident), text.Size, func(n string) string { return style.Say("%s in memory", n) }, func(p *analysis.ReportProcess) (int64, bool) {
		switch {
		case p.HighWater != nil:
			return *p.HighWater, true
		case p.Total.Resident != nil:
			return *p.Total.Resident, true
		}
		return 0, false
	}, analysis.SortResident)
	put("max-mappings", int64(l.mappings), text.Thousands, func(n string) string { return style.Say("%s mappings", n) }, func(p *analysis.ReportProcess) (int64, bool) { return int64(p.VMAs), true }, analysis.SortVMAs)
	return list
}

// holderOf names what takes the largest part of a process, and who made it: "64.0 MiB glibc malloc arena, made by fopen
// < luaL_loadfilex".
func holderOf(p *analysis.ReportProcess, by analysis.Sort, style text.Style) string {
	rows := append([]analysis.Row(nil), p.Holders...)
	analysis.SortRows(rows, by)
	if len(rows) == 0 {
		return ""
	}
	h := &rows[0]
	if len(h.Parts) > 0 {
		h = &h.Parts[0]
	}
	who := h.Who
	if strings.Contains(rows[0].Label, " by ") {
		who.Calls = nil // it says so
	}
	label := style.Told(rows[0].Label)
	switch {
	case by == analysis.SortVMAs:
		return madeBy(style.Say("%s mappings of %s", text.Thousands(int64(h.VMAs)), label), who, style)
	case by == analysis.SortResident && h.Resident != nil:
		return madeBy(text.Size(*h.Resident)+" "+label, who, style)
	}
	return madeBy(text.Size(h.Reserved)+" "+label, who, style)
}

// madeBy appends to what the calls that made it, if they are known: "64.0 MiB heap, made by f < main".
func madeBy(what string, who analysis.Who, style text.Style) string {
	if len(who.Calls) == 0 {
		return what
	}
	return style.Say("%s, made by %s", what, style.Told(who.Text(60)))
}

// passed returns an error that lists every bound that was exceeded or could not be measured, nil if there is none.
func passed(list []judgement, style text.Style) error {
	var lines []string
	for _, j := range list {
		switch {
		case !j.known:
			lines = append(lines, j.text)
		case j.over && j.who != "":
			lines = append(lines, style.Say("%s: the largest is %s", j.text, j.who))
		case j.over:
			lines = append(lines, j.text)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "; "))
}

// junit writes judgements as JUnit XML, a test case each.
func junit(name, of string, list []judgement, style text.Style) error {
	type failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Time    string   `xml:"time,attr"`
		Failure *failure `xml:"failure"`
		Output  string   `xml:"system-out,omitempty"`
	}
	type testsuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	suite := testsuite{Name: "vmblame", Tests: len(list)}
	for _, j := range list {
		c := testcase{Class: of, Name: j.name, Time: "0", Output: j.text}
		if err := passed([]judgement{j}, style); err != nil {
			suite.Failures++
			c.Failure = &failure{j.text, err.Error()}
		}
		suite.Cases = append(suite.Cases, c)
	}
	b, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append([]byte(xml.Header), append(b, '\n')...), 0o644)
}

// githubSummary appends a section to the summary of a GitHub job, where there is one.
func githubSummary(title string, list []judgement, body []byte, style text.Style) error {
	name := os.Getenv("GITHUB_STEP_SUMMARY")
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### vmblame: `%s`\n\n", strings.ReplaceAll(text.Printable(title), "`", "'"))
	for _, j := range list {
		mark := "✅"
		if err := passed([]judgement{j}, style); err != nil {
			mark = "❌"
		}
		fmt.Fprintf(&b, "- %s %s\n", mark, text.Printable(j.text))
	}
	fmt.Fprintf(&b, "\n````text\n%s````\n\n", body)
	if _, err := io.WriteString(f, b.String()); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// deliver writes the results that CI systems read: JUnit XML to file junit unless that is "", and the summary of a
// GitHub job.
func deliver(file, of string, list []judgement, body []byte, style text.Style) error {
	if file != "" {
		if err := junit(file, of, list, style); err != nil {
			return fmt.Errorf("--junit %s: %w", file, err)
		}
	}
	if err := githubSummary(of, list, body, style); err != nil {
		return fmt.Errorf("GITHUB_STEP_SUMMARY: %w", err)
	}
	return nil
}

// failOver is the bound of diff: a share ("5%"), or bytes ("10M"); negative for none.
type failOver struct {
	percent float64
	bytes   int64
	set     string
}

func (f *failOver) String() string { return f.set }

func (f *failOver) Type() string { return "BOUND" }

func (f *failOver) Set(s string) error {
	if number, ok := strings.CutSuffix(s, "%"); ok {
		p, err := strconv.ParseFloat(number, 64)
		if err != nil || !(p >= 0) {
			return errors.New("not a share: 5%, 0.5%")
		}
		*f = failOver{percent: p, set: s}
		return nil
	}
	n, err := parseSize(s)
	if _, bare := strconv.ParseFloat(s, 64); err != nil || bare == nil && n > 0 { // 5 may be meant as either
		return errors.New("neither a share (5%) nor a size (10M, 4096B)")
	}
	*f = failOver{percent: -1, bytes: n, set: s}
	return nil
}

// judge checks how much each process has grown against the bound. The texts are in the language of style.
func (f *failOver) judge(d *analysis.Diff, style text.Style) []judgement {
	if f.set == "" {
		return nil
	}
	var list []judgement
	for i := range d.Processes {
		p := &d.Processes[i]
		j := judgement{name: "fail-over", known: true, over: float64(p.Difference) > float64(p.Before.Reserved)*f.percent/100}
		if f.percent < 0 {
			j.over = p.Difference > f.bytes
		}
		name, share := p.NameAfter, ""
		if name == "" {
			name = p.NameBefore
		}
		if p.Before.Reserved > 0 {
			share = fmt.Sprintf(" (%+.1f %%)", float64(p.Difference)/float64(p.Before.Reserved)*100)
		}
		j.text = fmt.Sprintf("%s: %s%s, --fail-over %s", name, text.Style{}.Change(p.Difference), share, f.set)
		for k := range p.Kinds {
			c := &p.Kinds[k]
			if c.Difference <= 0 {
				continue
			}
			var who analysis.Who
			if len(c.Parts) > 0 {
				who = c.Parts[0].Who
			}
			j.who = madeBy(text.Style{}.Change(c.Difference)+" "+style.Told(c.Label), who, style)
			break
		}
		list = append(list, j)
	}
	return list
}
