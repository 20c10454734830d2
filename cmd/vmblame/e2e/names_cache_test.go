package e2e

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// TestNamesCache records a program twice with a cache of names: the first recording fills it, the second one has the
// same names by it, and what is written there is the user's alone.
func TestNamesCache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	t.Setenv("VMBLAME_CACHE", dir)
	symbols := func() map[string]string {
		log := filepath.Join(t.TempDir(), "log.jsonl")
		launch(t, log, "--no-aslr", prog(t, "stack_thread")).mustEnd("exit status 0")
		in, err := eventlog.Open(log)
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		list := make(map[string]string)
		for {
			rec, err := in.Next()
			if err == io.EOF {
				return list
			}
			if err != nil {
				t.Fatal(err)
			}
			if s, ok := rec.(*eventlog.Symbol); ok {
				list[fmt.Sprint(s.Module, s.Offset)] = fmt.Sprintf("%+v", *s)
			}
		}
	}
	first, second := symbols(), symbols()
	if len(first) == 0 || !maps.Equal(first, second) {
		t.Errorf("%d names, then %d; they are not the same", len(first), len(second))
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d files, %v", len(list), err)
	}
	for _, e := range list {
		if st, err := e.Info(); err != nil || st.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), st.Mode(), err)
		}
	}
}
