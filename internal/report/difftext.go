package report

import (
	"fmt"
	"path"
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
			sides := fmt.Sprintf("%s | %s", sideText(p.PIDBefore, p.NameBefore, p.ExeBefore, s), sideText(p.PIDAfter, p.NameAfter, p.ExeAfter, s))
			b = append(b, text.Fold(sides, s.Lines(), "  ")+"\n"...)
		}
		b = appendPair(b, d, p, s)
		if len(p.ArgvBefore)+len(p.ArgvAfter) > 0 {
			b = append(b, text.Fold(commandText(p.ArgvBefore, p.ArgvAfter, s), s.Lines(), "         ")+"\n"...)
		}
		if i > 0 {
			if len(p.Environment) > 0 {
				b = appendSettings(b, p.Environment, nil, s)
			}
			if first := &d.Processes[0]; !slices.Equal(p.OnlyBefore, first.OnlyBefore) || !slices.Equal(p.OnlyAfter, first.OnlyAfter) {
				b = appendOnly(b, p, s)
			}
		}
	}
	if len(d.Processes) == 0 {
		b = append(b, s.Word("nothing is mapped at either moment")+"\n"...)
	}
	b = appendSettings(b, d.Environment, d.Unrecorded, s)
	if len(d.Processes) > 0 {
		b = appendOnly(b, &d.Processes[0], s)
	}
	if len(d.Processes) > 0 && d.Processes[0].Because != nil {
		b = append(b, text.Fold(becauseText(d, d.Processes[0].Because, s), s.Lines(), "         ")+"\n"...)
	}
	return b
}

func sideText(pid *int, name, exe string, s text.Style) string {
	if pid == nil {
		return s.Word("none")
	}
	return s.Say("pid %d %s", *pid, processText(name, exe))
}

func appendPair(b []byte, d *analysis.Diff, p *analysis.Pair, s text.Style) []byte {
	room, label := 24, 0
	if !s.Whole {
		room, label = min(16, max(s.Width/6, 10)), max(s.Width/4, 18)
	}
	names := [2]string{d.Before.Log, d.After.Log}
	if a, b := path.Base(names[0]), path.Base(names[1]); a != b && !s.Whole {
		names = [2]string{a, b} // without directories the names are clearer
	}
	t := &text.Table{Columns: []text.Column{
		{Color: text.Kind, Limit: label}, {Head: text.ClipStart(names[0], room), Named: true, Right: true, Color: text.Number, Spare: 2}, {Head: text.ClipStart(names[1], room), Named: true, Right: true, Color: text.Number, Spare: 3},
		{Head: "difference", Right: true, Color: text.Number}, {Head: "COUNT", Spare: 1}, {},
	}}
	// Nothing has no size; an unmeasured figure is unknown, and so is its difference.
	add := func(label string, was, is *analysis.Totals, of func(*analysis.Totals) *int64, tail ...text.Cell) {
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
			if v == n.Resident {
				cells[i] = counted(n, v, s)
				known = known && n.Uncounted == 0
			}
			if known = known && v != nil; v != nil {
				values[i] = *v
			}
		}
		if known {
			difference = s.Change(values[1] - values[0])
		}
		t.Add(append([]text.Cell{namedCell(label), text.Plain(cells[0]), text.Plain(cells[1]), text.Plain(difference)}, tail...)...)
	}
	reserved := func(n *analysis.Totals) *int64 { return &n.Reserved }
	add(s.Word("mapped"), &p.Before, &p.After, reserved)
	add(s.Word("accessible"), &p.Before, &p.After, func(n *analysis.Totals) *int64 { return &n.Committed })
	add(s.Word("resident"), &p.Before, &p.After, func(n *analysis.Totals) *int64 { return n.Resident })
	if was, is := p.GivenBefore, p.GivenAfter; was != nil || is != nil {
		difference := "?"
		if was != nil && is != nil {
			difference = s.Change(*is - *was)
		}
		t.Add(namedCell(s.Word("given back by madvise")), text.Plain(s.Measured(was)), text.Plain(s.Measured(is)), text.Plain(difference))
	}
	same := 0
	for i := range p.Kinds {
		k := &p.Kinds[i]
		differing := slices.DeleteFunc(slices.Clone(k.Parts), func(o analysis.Change) bool { return !o.Differs() })
		if len(differing) == 0 {
			same++
			continue
		}
		if len(k.Parts) == 1 {
			add("  "+s.Told(k.Label), &k.Before, &k.After, reserved, text.Plain(counts(k)), remarkCell(&k.Parts[0], s))
			continue
		}
		add("  "+s.Told(k.Label), &k.Before, &k.After, reserved, text.Plain(counts(k)))
		for j := range differing {
			o := &differing[j]
			add("    "+s.Word("of these"), &o.Before, &o.After, reserved, text.Plain(counts(o)), remarkCell(o, s))
		}
	}
	b = t.Append(b, s)
	if same > 0 {
		b = append(b, s.Say("%s the same on both sides", s.Count(same, "kind", "kinds"))+"\n"...)
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

func remarkCell(c *analysis.Change, s text.Style) text.Cell {
	return text.Cell{Text: remark(c, s, 0), Fit: func(width int) string { return remark(c, s, width) }}
}

// remark says who made it: "thread worker, first malloc in fopen < luaL_loadfilex; 8 KiB resident". The calls are
// elided to make it fit into width columns, as far as possible; 0 is no limit.
func remark(c *analysis.Change, s text.Style, width int) string {
	before := ""
	if c.Note != "" {
		before = s.Say("%s, ", s.Told(c.Note))
	}
	if c.How != "" {
		before += s.Told(c.How) + " "
	}
	room := 0
	if width > 0 {
		room = max(width-text.Width(before), 12)
	}
	t := before + whoText(c.Who, s, room)
	more := &c.After
	if c.Difference < 0 {
		more = &c.Before
	}
	if r := more.Resident; r != nil && *r*4 < more.Reserved && more.Reserved >= 1<<20 {
		if note := s.Say("; %s resident", s.Size(*r)); width <= 0 || text.Width(t+note) <= width {
			t += note
		}
	}
	return t
}

// appendSettings names every setting that differs: "MALLOC_ARENA_MAX 1 | unset", and those that one side alone recorded.
func appendSettings(b []byte, list, unrecorded []analysis.Setting, s text.Style) []byte {
	line := func(head string, words []string) {
		for i := range words {
			words[i] = strings.ReplaceAll(text.Printable(words[i]), " ", "\u00a0")
		}
		t := text.Fold(head+strings.Join(words, s.Word("; ")), s.Lines(), "             ")
		b = append(b, strings.ReplaceAll(t, "\u00a0", " ")+"\n"...)
	}
	pair := func(v *analysis.Setting) string {
		return fmt.Sprintf("%s %s | %s", v.Name, settingText(v.Before, v.UnknownBefore, s), settingText(v.After, v.UnknownAfter, s))
	}
	var words []string
	for i := range list {
		words = append(words, pair(&list[i]))
	}
	switch {
	case len(words) > 0:
	case len(unrecorded) > 0:
		words = []string{s.Word("the same as far as both recorded it")}
	default:
		words = []string{s.Word("the same")}
	}
	line(s.Word("environment: "), words)
	words = nil
	unset := 0
	for i := range unrecorded {
		if v := &unrecorded[i]; v.Before != nil || v.After != nil {
			words = append(words, pair(v))
		} else {
			unset++
		}
	}
	if unset > 0 {
		words = append(words, s.Count(unset, "variable that is unset", "variables that are unset"))
	}
	if len(words) > 0 {
		line(s.Word("recorded by one alone: "), words)
	}
	return b
}

// appendOnly lists the variables that only one side started with, whose values are not recorded: "variables of one
// side alone, by name: ERL_FLAGS | none".
func appendOnly(b []byte, p *analysis.Pair, s text.Style) []byte {
	if len(p.OnlyBefore)+len(p.OnlyAfter) == 0 {
		return b
	}
	side := func(names []string) string {
		if len(names) == 0 {
			return s.Word("none")
		}
		return text.Printable(strings.Join(names, ", "))
	}
	return append(b, text.Fold(s.Say("variables of one side alone, by name: %s | %s", side(p.OnlyBefore), side(p.OnlyAfter)), s.Lines(), "  ")+"\n"...)
}

// commandText is what differs between two command lines: "command: ... 100 | ... 200".
func commandText(before, after []string, s text.Style) string {
	first, last := 0, 0
	for n := min(len(before), len(after)); first < n && before[first] == after[first]; first++ {
	}
	for n := min(len(before), len(after)) - first; last < n && before[len(before)-1-last] == after[len(after)-1-last]; last++ {
	}
	side := func(argv []string) string {
		words := []string{}
		if first > 0 {
			words = append(words, "...")
		}
		for _, a := range argv[first : len(argv)-last] {
			if a == "" || strings.ContainsAny(a, " |'\"") {
				a = strconv.Quote(a)
			}
			words = append(words, a)
		}
		if last > 0 {
			words = append(words, "...")
		}
		return strings.Join(words, " ")
	}
	return text.Printable(s.Say("command: %s | %s", side(before), side(after)))
}

func settingText(v *string, unknown bool, s text.Style) string {
	switch {
	case unknown:
		return s.Word("not recorded")
	case v == nil:
		return s.Word("unset")
	case *v == "":
		return `""`
	}
	return *v
}

func becauseText(d *analysis.Diff, c *analysis.Because, s text.Style) string {
	log := map[string]string{"before": d.Before.Log, "after": d.After.Log}
	is := "="
	if strings.HasPrefix(c.Setting, "-") {
		is = "" // an option has its own
	}
	return text.Printable(s.Say("because: %s has %s more: %s of %s; %s has %s%s%s", log[c.More], s.Size(max(c.Difference, -c.Difference)), s.Told(c.Label), remark(&c.Change, s, 0),
		log[c.SetBy], c.Setting, is, settingText(&c.Value, false, s)))
}
