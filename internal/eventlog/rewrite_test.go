package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRewrite replaces one symbol, adds another, and expects every other byte where it was.
func TestRewrite(t *testing.T) {
	head := `{"type":"header","format":"vmblame","version":1,"unknown":[1,{"a":2}]}` + "\n" +
		`{"type":"module","module":1,"path":"a"}` + "\n" + `{"type":"novelty","x":1}` + "\n"
	old := `{"type":"symbol","module":1,"offset":"0x10","frames":[{"function":"old","start":"0x10","inlined":false}],"source":"dynsym"}` + "\n"
	kept := `{"type":"symbol","module":1,"offset":"0x20","frames":[{"function":"kept","start":"0x20","inlined":false}],"source":"dwarf","more":1}` + "\n"
	added := strings.Replace(old, `"old"`, `"new"`, 1)
	end := `{"type":"end","t":1,"cause":"exit"}` + "\n"
	symbol := &Symbol{Module: 1, Offset: 0x10, Source: "dynsym", Frames: []SymbolFrame{{Function: "new", Start: 0x10}}}
	dir := t.TempDir()
	for _, c := range []struct {
		name, in, want string
		cut            bool
	}{
		{"whole", head + old + kept + end, head + kept + added + end, false},
		{"no end", head + old + kept, head + kept + added, true},
		{"cut", head + old + kept + end[:9], head + kept + added, true},
	} {
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		if err := os.WriteFile(from, []byte(c.in), 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := Create(to)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Open(from)
		if err != nil {
			t.Fatal(err)
		}
		err = Rewrite(r, w, func(s *Symbol) bool { return s.Offset == 0x10 }, []*Symbol{symbol})
		if errors.Is(err, ErrCut) != c.cut || err != nil && !c.cut {
			t.Errorf("%s: %v", c.name, err)
		}
		r.Close()
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(to)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}
