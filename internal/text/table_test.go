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
        0  the last ce...
`},
		{Style{Width: 28}, `
     SIZE  WHAT         WHO
 64.0 MiB  glibc ma...  fopen < main
between the rows
    8 KiB  a\x1b[2J     x
        0  the last...
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

// TestTableIsNoState: what was written once is written the same again.
func TestTableIsNoState(t *testing.T) {
	x := sample()
	if a, b := x.Append(nil, Style{Width: 30}), x.Append(nil, Style{Width: 30}); string(a) != string(b) {
		t.Errorf("%s%s", a, b)
	}
}

func TestFold(t *testing.T) {
	for width, want := range map[int]string{0: "hint: a b cc", 10: "hint: a b\n  cc", 7: "hint: a\n  b cc"} {
		if got := Fold("hint: a b  cc", width, "  "); got != want {
			t.Errorf("%d: %q", width, got)
		}
	}
}
