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

// TestFoldChinese: what is written without blanks breaks between its characters, but not in a word of Latin letters, not
// before a full stop and not behind a bracket; nothing is added and nothing lost.
func TestFoldChinese(t *testing.T) {
	const s = "这里没有内存压力：7 % 的地址在内存中（MALLOC_ARENA_MAX=1 可以避免），没有接近任何已记录的限制。"
	for width := 24; width < 100; width++ {
		lines := strings.Split(Fold(s, width, "  "), "\n")
		for i, line := range lines {
			if Width(line) > width {
				t.Errorf("width %d: %d columns: %s", width, Width(line), line)
			}
			if i > 0 && strings.ContainsAny(line[:min(5, len(line))], "，。：）") && strings.IndexAny(line, "，。：）") == 2 {
				t.Errorf("width %d: a line begins with a mark: %s", width, line)
			}
			if strings.HasSuffix(line, "（") {
				t.Errorf("width %d: a line ends with a bracket: %s", width, line)
			}
		}
		if got := strings.NewReplacer("\n  ", "", " ", "").Replace(strings.Join(lines, "\n")); got != strings.ReplaceAll(s, " ", "") {
			t.Errorf("width %d: other words: %s", width, got)
		}
		if whole := strings.Join(lines, ""); !strings.Contains(whole, "MALLOC_ARENA_MAX=1") {
			t.Errorf("width %d: a word is broken:\n%s", width, strings.Join(lines, "\n"))
		}
	}
	if got := Fold("映射了 1.4 MiB，共 3 个", 14, ""); got != "映射了\n1.4 MiB，共 3\n个" {
		t.Errorf("a unit without its number: %q", got)
	}
	if got := Fold("虚拟内存 映射", 100, ""); got != "虚拟内存 映射" {
		t.Errorf("%q", got)
	}
}
