package inspect

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestV8 holds the pages of node's heap against v8.getHeapSpaceStatistics.
func TestV8(t *testing.T) {
	testenv.Need(t, "node")
	said, l, found := command(t, "node", "-e", `
		let kept = []
		for (let i = 0; i < 2e5; i++) kept.push({x: i, y: "s" + i})
		process.stdin.on("data", () => {}).on("end", () => process.exit(kept.length - 2e5))
		setTimeout(() => {
			console.log("spaces " + JSON.stringify(require("v8").getHeapSpaceStatistics()))
			console.log("ready")
		}, 200)`)
	var heap, code uint64
	for _, f := range found {
		for _, p := range f.Parts {
			switch f.Kind {
			case classify.V8Heap:
				heap += p.Len()
			case classify.V8Code:
				code += p.Len()
			}
		}
	}
	var spaces []struct {
		Name string `json:"space_name"`
		Size uint64 `json:"space_size"`
	}
	if err := json.Unmarshal([]byte(said[0][len("spaces "):]), &spaces); err != nil {
		t.Fatal(err)
	}
	var want uint64
	for _, s := range spaces {
		if s.Name != "code_space" {
			want += s.Size
		}
	}
	// The new space may have grown since it was asked.
	if heap < want || heap > want+want/4 {
		t.Errorf("%d bytes of pages, V8 says %d", heap, want)
	}
	if code == 0 || code&(code-1) != 0 {
		t.Errorf("%d bytes of code range", code)
	}

	// A core file has no flags, and so no code range: pages of code are code nevertheless.
	bare := l.Process
	bare.Rows = slices.Clone(l.Rows)
	for i := range bare.Rows {
		bare.Rows[i].VmFlags = ""
	}
	code = 0
	for _, f := range Look(&bare) {
		for _, p := range f.Parts {
			e := l.row(p.End - 2*vm.PageSize)
			if f.Kind == classify.V8Heap && e != nil && e.Perms&vm.Exec != 0 {
				t.Errorf("%v is code, and said to be %s", p.Range, f.Kind)
			}
			if f.Kind == classify.V8Code {
				code += p.Len()
			}
		}
	}
	if code == 0 {
		t.Error("no code is found without flags")
	}
}
