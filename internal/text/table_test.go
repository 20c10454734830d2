package text

import (
	"strings"
	"testing"
)

func sample() *Table {
	t := &Table{Indent: 1, Columns: []Column{{Head: "SIZE", Right: true, Color: Number}, {Head: "WHAT", Limit: 14}, {Head: "WHO"}}}
	t.Add(Plain("64.0 MiB"), Plain("glibc malloc arena"), Cell{Text: "fopen < main", Fit: func(width int) string {
		if width > 0 && width < 12 {
			return "fopen"
		}
		return "fopen < main"
	}})
	t.Add(Banner("between the rows")...)
	t.Add(Plain("8 KiB"), Plain("a\x1b[2J"), Plain("x"))
	t.Add(Plain("0"), Plain("the last cell of a short row"))
	return t
}

func TestTable(t *testing.T) {
	for _, c := range []struct {
		style Style
		want  string
	}{
		{Style{Whole: true}, `
     SIZE  WHAT                WHO
 64.0 MiB  glibc malloc arena  fopen < main
between the rows
    8 KiB  a\x1b[2J            x
        0  the last cell of a short row
`},
		{Style{Width: 40}, `
     SIZE  WHAT            WHO
 64.0 MiB  glibc mallo...  fopen < main
between the rows
    8 KiB  a\x1b[2J        x
        0  the last cell of a short row
`},
		{Style{Width: 28}, `
     SIZE  WHAT    WHO
 64.0 MiB  gli...  fopen
between the rows
    8 KiB  a\x...  x
        0  the last cell ...
`},
	} {
		if got := "\n" + string(sample().Append(nil, c.style)); got != c.want {
			t.Errorf("%+v:%s", c.style, got)
		}
	}
	if got := string(sample().Append(nil, Style{Whole: true, Color: true})); !strings.Contains(got, Head+"SIZE"+off) || !strings.Contains(got, Number+"64.0 MiB"+off) {
		t.Errorf("%q", got)
	}
}

// TestTableFits: no line is wider than the terminal, however narrow that is; columns that may be left out are, the one
// that tells least first.
func TestTableFits(t *testing.T) {
	x := &Table{Indent: 2, Columns: []Column{{Head: "START"}, {Head: "SIZE", Right: true}, {Head: "COUNT", Right: true, Spare: 1}, {Head: "WHEN", Spare: 2}, {Head: "WHAT", Limit: 30}, {Head: "WHO"}}}
	x.Add(Plain("7ffff7c51000"), Plain("64.0 MiB"), Plain("1"), Plain("0.0447 s"), Plain("glibc malloc arena of thread 31014 worker"), Plain("fopen < luaL_loadfilex < silly_worker_start < thread_worker"))
	x.Add(Plain("7ffff7c51000"), Plain("線程池線程池線程池線程池線程池線程池"))
	for width := 1; width < 200; width++ {
		text := string(x.Append(nil, Style{Width: width}))
		for line := range strings.Lines(text) {
			if n := Width(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: %d columns: %s", width, n, line)
			}
		}
		if width >= 60 && !strings.Contains(text, "7ffff7c51000      64.0 MiB") && !strings.Contains(text, "7ffff7c51000  64.0 MiB") {
			t.Errorf("width %d: no address, or no size:\n%s", width, text)
		}
		if strings.Contains(text, "COUNT") && !strings.Contains(text, "WHEN") && width > 40 {
			t.Errorf("width %d: what tells more was left out first:\n%s", width, text)
		}
	}
}

// TestCommands: commands have a line each where they have no room beside each other, and what is broken is still one
// command for a shell.
func TestCommands(t *testing.T) {
	for width, want := range map[int]string{
		0:  "next: vmblame report a.jsonl    vmblame blame a.jsonl 7f00\n",
		80: "next: vmblame report a.jsonl    vmblame blame a.jsonl 7f00\n",
		40: "next: vmblame report a.jsonl\n      vmblame blame a.jsonl 7f00\n",
		30: "next: vmblame report a.jsonl\n      vmblame blame a.jsonl \\\n        7f00\n",
	} {
		if got := Commands("next: ", width, "vmblame report a.jsonl", "vmblame blame a.jsonl 7f00"); got != want {
			t.Errorf("%d: %q, want %q", width, got, want)
		}
	}
	long := "/srv/" + strings.Repeat("x", 100) + ".jsonl"
	for width := 20; width < 130; width++ {
		got := Commands("next: ", width, "vmblame report "+long)
		for line := range strings.Lines(got) {
			if n := Width(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("width %d: %d columns: %s", width, n, line)
			}
		}
		// A shell takes the backslash and the newline away.
		if !strings.Contains(strings.ReplaceAll(got, "\\\n", ""), " "+long+"\n") {
			t.Errorf("width %d: the name is broken: %q", width, got)
		}
	}
}

func TestThousandsAndShare(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 65530: "65,530", -1234567: "-1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	for _, c := range []struct {
		part, whole int64
		want        string
	}{{0, 10, "0 %"}, {1, 1000, "<1 %"}, {5, 10, "50 %"}, {9999, 10000, "99 %"}, {10, 10, "100 %"}, {0, 0, ""}} {
		if got := Share(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d: %q, want %q", c.part, c.whole, got, c.want)
		}
	}
}

// TestTableIsNoState: what was written once is written the same again.
func TestTableIsNoState(t *testing.T) {
	x := sample()
	if a, b := x.Append(nil, Style{Width: 30}), x.Append(nil, Style{Width: 30}); string(a) != string(b) {
		t.Errorf("%s%s", a, b)
	}
}

func TestFold(t *testing.T) {
	for width, want := range map[int]string{0: "hint: a b cc", 10: "hint: a b\n  cc", 7: "hint: a\n  b cc", 5: "hint:\n  a b\n  cc"} {
		if got := Fold("hint: a b  cc", width, "  "); got != want {
			t.Errorf("%d: %q", width, got)
		}
	}
}
