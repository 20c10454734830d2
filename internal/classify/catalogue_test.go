package classify

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestKinds: each kind has a row, once, with every column, and the page that explains it.
func TestKinds(t *testing.T) {
	page, err := os.ReadFile("../../docs/kinds.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("kind.go")
	if err != nil {
		t.Fatal(err)
	}
	known := Known()
	kinds := known.Kinds()
	for i, k := range kinds {
		r := known.Row(k)
		switch h := r.Heading; {
		case slices.Index(kinds, k) != i:
			t.Errorf("%s has two rows", k)
		case r.Words.One == "" || r.Words.Many == "":
			t.Errorf("%s has no words", k)
		case h == nil || h.Word == "" || h.Words.One == "" || h.Words.Many == "":
			t.Errorf("%s is listed under nothing", k)
		case r.Settings == nil || r.Advise == nil:
			t.Errorf("%s does not say what governs it, or what is advised", k)
		}
		for _, s := range r.Settings {
			if s.Name == "" || s.Where == Variable && s.Name != strings.ToUpper(s.Name) {
				t.Errorf("%s: setting %q", k, s.Name)
			}
		}
		if !strings.Contains(string(page), "`"+string(k)+"`") {
			t.Errorf("docs/kinds.md does not tell of %s", k)
		}
	}
	if n := strings.Count(string(source), " = \""); n != len(kinds) {
		t.Errorf("%d kinds, %d with rows", n, len(kinds))
	}
	if r := known.Row("new"); r.Words.One != "new" || r.Heading.Word != "new" {
		t.Error("a kind that is not known has no name")
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct {
		w    Words
		n    int
		want string
	}{
		{words("thread stack"), 1, "1 thread stack"}, {words("thread stack"), 3, "3 thread stacks"}, {mass("anonymous memory"), 3, "anonymous memory (3)"},
		{Words{"page for uprobes", "pages for uprobes"}, 2, "2 pages for uprobes"},
	} {
		if got := c.w.Count(c.n); got != c.want {
			t.Errorf("%d: %q, want %q", c.n, got, c.want)
		}
	}
}

// TestSettings: who has set what an advice is about needs none, whether by a variable, a tunable or an option.
func TestSettings(t *testing.T) {
	list := hint(Variable, "MALLOC_ARENA_MAX").hint(Tunable, "glibc.malloc.arena_max").hint(JavaOption, "-Xmx").by(Variable, "LD_PRELOAD").by(Machine, "cpus")
	for _, c := range []struct {
		env  map[string]string
		argv []string
		want bool
	}{
		{nil, []string{"java", "-cp", "x"}, false}, {nil, []string{"java", "-Xmx512m"}, true},
		{map[string]string{"MALLOC_ARENA_MAX": "2"}, nil, true}, {map[string]string{"LD_PRELOAD": "x.so", "cpus": "2"}, nil, false},
		{map[string]string{"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=2"}, nil, true},
		{map[string]string{"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}, nil, false},
		{map[string]string{"JAVA_TOOL_OPTIONS": "-server -Xmx1g"}, nil, true},
	} {
		if got := list.Known(func(name string) string { return c.env[name] }, c.argv); got != c.want {
			t.Errorf("%v %v: %v", c.env, c.argv, got)
		}
	}
	for name, want := range map[string]bool{"MALLOC_ARENA_MAX": true, "GLIBC_TUNABLES": true, "JDK_JAVA_OPTIONS": true, "cpus": true, "NODE_OPTIONS": false, "-Xmx": false} {
		if got := list.Explain(name); got != want {
			t.Errorf("%s explains: %v", name, got)
		}
	}
}
