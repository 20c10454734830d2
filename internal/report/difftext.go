package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/text"
)

// Diff writes a Diff for people.
func Diff(d *analysis.Diff, s text.Style) []byte {
	var b []byte
	for i := range d.Processes {
		p := &d.Processes[i]
		if i > 0 && p.Same {
			continue
		}
		if i > 0 {
			b = append(b, '\n')
		}
		if len(d.Processes) > 1 {
			b = fmt.Appendf(b, "%s | %s\n", sideText(p.PIDBefore, p.NameBefore, p.ExeBefore), sideText(p.PIDAfter, p.NameAfter, p.ExeAfter))
		}
		b = appendPair(b, d, p, s)
	}
	if len(d.Processes) == 0 {
		b = append(b, "nothing is mapped at either moment\n"...)
	}
	b = appendSettings(b, d.Environment, s)
	if len(d.Processes) > 0 && d.Processes[0].Because != nil {
		b = append(b, becauseText(d, d.Processes[0].Because, s)+"\n"...)
	}
	return b
}

func sideText(pid *int, name, exe string) string {
	if pid == nil {
		return "none"
	}
	return fmt.Sprintf("pid %d %s", *pid, processText(name, exe))
}

func appendPair(b []byte, d *analysis.Diff, p *analysis.Pair, s text.Style) []byte {
	t := &text.Table{Columns: []text.Column{
		{Color: text.Kind}, {Head: clipName(d.Before.Log), Right: true, Color: text.Number}, {Head: clipName(d.After.Log), Right: true, Color: text.Number},
		{Head: "difference", Right: true, Color: text.Number}, {Head: "COUNT"}, {},
	}}
	// What there is nothing of has no size; what was not measured is not known, nor is how it differs.
	add := func(label string, was, is *analysis.Totals, of func(*analysis.Totals) *int64, tail ...string) {
		var cells [2]string
		var values [2]int64
		difference := "?"
		known := true
		for i, n := range [...]*analysis.Totals{was, is} {
			if n.Mappings == 0 {
				cells[i] = "-"
				continue
			}
			v := of(n)
			cells[i] = s.Measured(v)
			if known = known && v != nil; v != nil {
				values[i] = *v
			}
		}
		if known {
			difference = s.Change(values[1] - values[0])
		}
		row := []text.Cell{text.Plain(label), text.Plain(cells[0]), text.Plain(cells[1]), text.Plain(difference)}
		for _, s := range tail {
			row = append(row, text.Plain(s))
		}
		t.Add(row...)
	}
	reserved := func(n *analysis.Totals) *int64 { return &n.Reserved }
	add("mapped", &p.Before, &p.After, reserved)
	add("accessible", &p.Before, &p.After, func(n *analysis.Totals) *int64 { return &n.Committed })
	add("resident", &p.Before, &p.After, func(n *analysis.Totals) *int64 { return n.Resident })
	same := 0
	for i := range p.Kinds {
		k := &p.Kinds[i]
		differing := slices.DeleteFunc(slices.Clone(k.Parts), func(o analysis.Change) bool { return !o.Differs() })
		if len(differing) == 0 {
			same++
			continue
		}
		if len(k.Parts) == 1 {
			add("  "+k.Label, &k.Before, &k.After, reserved, counts(k), remark(&k.Parts[0], s))
			continue
		}
		add("  "+k.Label, &k.Before, &k.After, reserved, counts(k))
		for j := range differing {
			o := &differing[j]
			add("    of these", &o.Before, &o.After, reserved, counts(o), remark(o, s))
		}
	}
	b = t.Append(b, s)
	if same > 0 {
		b = fmt.Appendf(b, "%s the same on both sides\n", text.Count(same, "kind", "kinds"))
	}
	return b
}

// counts is how many things there are on the two sides: "3", "0 | 1".
func counts(c *analysis.Change) string {
	if c.Before.Count == c.After.Count {
		return strconv.Itoa(c.After.Count)
	}
	return fmt.Sprintf("%d | %d", c.Before.Count, c.After.Count)
}

// remark says who made it: "thread worker, first malloc in fopen < luaL_loadfilex; 8 KiB resident".
func remark(c *analysis.Change, s text.Style) string {
	room := max(s.Width-60, 40)
	if s.Whole {
		room = 0
	}
	t := c.Who.Text(room)
	if c.How != "" {
		t = c.How + " " + t
	}
	if c.Note != "" {
		t = c.Note + ", " + t
	}
	more := &c.After
	if c.Difference < 0 {
		more = &c.Before
	}
	if r := more.Resident; r != nil && *r*4 < more.Reserved && more.Reserved >= 1<<20 {
		t += "; " + s.Size(*r) + " resident"
	}
	return t
}

func clipName(s string) string {
	r := []rune(s)
	if len(r) > 24 {
		return "..." + string(r[len(r)-21:])
	}
	return s
}

// appendSettings names every setting that differs: "MALLOC_ARENA_MAX 1 | unset".
func appendSettings(b []byte, list []analysis.Setting, s text.Style) []byte {
	if len(list) == 0 {
		return append(b, "environment: the same\n"...)
	}
	var words []string
	for _, v := range list {
		t := fmt.Sprintf("%s %s | %s", v.Name, settingText(v.Before, v.UnknownBefore), settingText(v.After, v.UnknownAfter))
		words = append(words, strings.ReplaceAll(text.Printable(t), " ", "\u00a0"))
	}
	t := text.Fold("environment: "+strings.Join(words, "; "), s.Lines(), "             ")
	return append(b, strings.ReplaceAll(t, "\u00a0", " ")+"\n"...)
}

func settingText(v *string, unknown bool) string {
	switch {
	case unknown:
		return "?"
	case v == nil:
		return "unset"
	case *v == "":
		return `""`
	}
	return *v
}

func becauseText(d *analysis.Diff, c *analysis.Because, s text.Style) string {
	log := map[string]string{"before": d.Before.Log, "after": d.After.Log}
	return text.Printable(fmt.Sprintf("because: %s has %s more: %s of %s; %s has %s=%s", log[c.More], s.Size(max(c.Difference, -c.Difference)), c.Label, remark(&c.Change, s),
		log[c.SetBy], c.Setting, settingText(&c.Value, false)))
}
