package text

import "testing"

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"": "", "/srv/a b": "/srv/a b", "größe 日本": "größe 日本", "\x1b[2J": `\x1b[2J`, "a\nb\tc\x7f": `a\nb\tc\x7f`,
		"a\xffb": `a\xffb`, "\ufffd": "\ufffd", "x\u202ey": `x\u202ey`, "\u0085": `\u0085`, "a\u00a0b": "a\u00a0b",
	} {
		if got := Printable(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}
