package text

import (
	"strings"
	"testing"
)

// TestWidth: text takes as many columns as a terminal gives it.
func TestWidth(t *testing.T) {
	for s, want := range map[string]int{"": 0, "a b": 3, "größe": 5, "日本": 4, "線程池-1": 8, "ｱ": 1, "Ａ": 2, "e\u0301": 1, "👩‍👩‍👧": 2, "한글": 4, "한": 2} {
		if got := Width(s); got != want {
			t.Errorf("%q takes %d columns, want %d", s, got, want)
		}
	}
}

// TestClip: what is cut fits, and no character is cut in two.
func TestClip(t *testing.T) {
	for _, c := range []struct {
		s           string
		width       int
		want, start string
	}{
		{"abcdef", 5, "ab...", "...ef"}, {"線程池工作", 8, "線程...", "...工作"}, {"線程池工作", 10, "線程池工作", "線程池工作"}, {"線程池工作", 9, "線程池...", "...池工作"},
		{"cafe\u0301 x", 5, "ca...", "... x"}, {"線程", 3, "線", "..."},
	} {
		if got := Clip(c.s, c.width); got != c.want || Width(got) > c.width {
			t.Errorf("%q in %d: %q, want %q", c.s, c.width, got, c.want)
		}
		if got := ClipStart(c.s, c.width); got != c.start || Width(got) > c.width {
			t.Errorf("the end of %q in %d: %q, want %q", c.s, c.width, got, c.start)
		}
	}
}

// TestWideTable: columns stand below each other behind wide characters too.
func TestWideTable(t *testing.T) {
	x := &Table{Columns: []Column{{Head: "WHAT", Limit: 8}, {Head: "WHO"}}}
	x.Add(Plain("線程池工作者"), Plain("main"))
	x.Add(Plain("stack"), Plain("main"))
	for line := range strings.Lines(string(x.Append(nil, Style{Width: 40}))) {
		before, _, _ := strings.Cut(strings.Replace(line, "WHO", "main", 1), "main")
		if Width(before) != 9 {
			t.Errorf("%d columns before the second one: %s", Width(before), line)
		}
	}
}
