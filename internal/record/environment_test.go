package record

import (
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
)

// TestEnvironment: what governs a kind of memory is recorded, set or not, and no other variable.
func TestEnvironment(t *testing.T) {
	row := classify.Row{Kind: "zoo", Words: classify.Words{One: "zoo pen", Many: "zoo pens"}, Settings: classify.Settings{{Name: "ZOO_PENS"}}}
	known := classify.Known().With(classify.Family{Kinds: []classify.Row{row}})
	e := layoutEnvironment(known.Variables(), []string{"PASSWORD=x", "ZOO_PENS=3", "MIMALLOC_ARENA_RESERVE=64MiB"}, "/bin/true", 0, nil)
	for name, want := range map[string]string{"ZOO_PENS": "3", "MIMALLOC_ARENA_RESERVE": "64MiB"} {
		if v := e[name]; v == nil || *v != want {
			t.Errorf("%s is not recorded", name)
		}
	}
	for _, name := range []string{"MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "JAVA_TOOL_OPTIONS", "LD_LIBRARY_PATH"} {
		if v, recorded := e[name]; !recorded || v != nil {
			t.Errorf("%s: %v, %v", name, v, recorded)
		}
	}
	if _, recorded := e["PASSWORD"]; recorded {
		t.Error("a secret is recorded")
	}
}
