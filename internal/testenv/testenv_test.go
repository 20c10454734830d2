package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// told is a test that only notes what becomes of it.
type told struct {
	testing.TB
	skipped, failed string
}

func (t *told) Helper()                   {}
func (t *told) Name() string              { return "TestIt" }
func (t *told) Skipf(f string, a ...any)  { t.skipped = fmt.Sprintf(f, a...) }
func (t *told) Fatalf(f string, a ...any) { t.failed = fmt.Sprintf(f, a...) }

func TestNeed(t *testing.T) {
	defer func(c bool, s string) { ci, skips = c, s }(ci, skips)
	skips = filepath.Join(t.TempDir(), "skips")
	if err := os.WriteFile(skips, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	if err := os.WriteFile(filepath.Join(bin, "strace"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ci              bool
		need            []string
		skipped, failed string
	}{
		{need: []string{"strace"}},
		{ci: true, need: []string{"strace"}},
		{need: []string{"strace", "gdb"}, skipped: "the machine lacks gdb (gdb)"},
		{need: []string{"musl-gcc"}, skipped: "the machine lacks musl-gcc (musl-tools)"},
		{need: []string{"no-such"}, skipped: "the machine lacks no-such (?)"},
		{ci: true, need: []string{"gdb"}, skipped: "the machine lacks gdb (gdb)", failed: "the machine lacks gdb (gdb), and CI is set"},
	} {
		ci = c.ci
		got := &told{}
		Need(got, c.need...)
		if got.skipped != c.skipped || got.failed != c.failed {
			t.Errorf("%v: skipped %q, failed %q", c.need, got.skipped, got.failed)
		}
	}
	text, err := os.ReadFile(skips)
	want := "TestIt\tgdb\tgdb\nTestIt\tmusl-gcc\tmusl-tools\nTestIt\tno-such\t?\nTestIt\tgdb\tgdb\n"
	if err != nil || string(text) != want {
		t.Errorf("%v, %q", err, text)
	}
}
