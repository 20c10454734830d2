package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/testenv"
)

// imported is what speedscope has made of a profile: internal/html/web/test/speedscope.mjs.
type imported struct {
	Title    string      `json:"title"`
	Listed   [][2]string `json:"listed"`
	Shown    [][2]string `json:"shown"`
	Profiles []struct {
		Name  string           `json:"name"`
		Unit  string           `json:"unit"`
		Total int64            `json:"total"`
		Self  map[string]int64 `json:"self"`
	} `json:"profiles"`
}

// TestSpeedscope opens exports in speedscope itself: what it has imported, and what it shows, is what the reports have.
func TestSpeedscope(t *testing.T) {
	testenv.Optional(t, "chromium", "playwright-core", "speedscope", "node")
	need(t, []string{built.vmblame, "run"})
	dir := t.TempDir()
	if o := start(t, dir, filepath.Join(dir, "account"), built.vmblame, "run", "-q", "-o", "case.jsonl", "--", prog(t, "case")); o.status != "exit status 0" {
		t.Fatal(o)
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal(err)
	}
	driver, err := filepath.Abs("../../../internal/html/web/test/speedscope.mjs")
	if err != nil {
		t.Fatal(err)
	}
	children, err := os.ReadFile("../../../internal/report/testdata/children.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "children.jsonl"), children, 0o600); err != nil {
		t.Fatal(err)
	}
	logs := []string{"case.jsonl", "children.jsonl"}
	argv := []string{"node", driver, browser}
	for _, log := range logs {
		file := log + ".speedscope"
		printed(t, dir, built.vmblame, "export", "--format", "speedscope", "-o", file, log)
		argv = append(argv, file)
	}
	var all []imported
	if err := json.Unmarshal(printed(t, dir, argv...), &all); err != nil || len(all) != len(logs) {
		t.Fatalf("speedscope has opened %d of %v: %v", len(all), logs, err)
	}
	for i, log := range logs {
		x := &all[i]
		var r analysis.Report
		if err := json.Unmarshal(printed(t, dir, built.vmblame, "report", "--json", "--by", "kind", log), &r); err != nil {
			t.Fatal(err)
		}
		if want := log + "@end - speedscope"; x.Title != want {
			t.Errorf("%s: the title is %q, want %q", log, x.Title, want)
		}
		held := map[string]map[string]int64{} // by the name of a profile and the kind
		for _, p := range x.Profiles {
			sum := int64(0)
			for _, n := range p.Self {
				sum += n
			}
			if sum != p.Total {
				t.Errorf("%s: %s is %d, its frames are %d", log, p.Name, p.Total, sum)
			}
			p.Self[""] = p.Total
			held[p.Name] = p.Self
		}
		for i := range r.Processes {
			p := &r.Processes[i]
			of := func(value string) map[string]int64 { return held[fmt.Sprintf("%d %s: %s", p.PID, p.Name, value)] }
			got := [...]int64{of("addresses")[""], of("usable")[""], of("resident")[""], of("mappings")[""]}
			resident := int64(0)
			if p.Total.Resident != nil {
				resident = *p.Total.Resident
			}
			if want := [...]int64{p.Total.Reserved, p.Total.Committed, resident, int64(p.Total.Mappings)}; got != want {
				t.Errorf("%s: of process %d speedscope has %v, the report %v", log, p.PID, got, want)
			}
			kinds := map[string]int64{}
			for j := range p.Holders {
				byKind(&p.Holders[j], kinds)
			}
			for kind, want := range kinds {
				if got := of("addresses")["["+kind+"]"]; got != want {
					t.Errorf("%s: process %d, %s: speedscope has %d, the report %d", log, p.PID, kind, got, want)
				}
			}
		}
		if len(x.Shown) == 0 || len(x.Profiles) == 0 || len(x.Listed) != len(x.Profiles) {
			t.Errorf("%s: speedscope shows %d lines, and lists %d of %d profiles", log, len(x.Shown), len(x.Listed), len(x.Profiles))
			continue
		}
		for i, p := range x.Profiles {
			if want := [2]string{p.Name, inSpeedscope(p.Total, p.Unit)}; x.Listed[i] != want {
				t.Errorf("%s: speedscope lists %q, want %q", log, x.Listed[i], want)
			}
		}
		for _, line := range x.Shown {
			size, _, _ := strings.Cut(line[0], " (")
			if want := inSpeedscope(x.Profiles[0].Self[line[1]], x.Profiles[0].Unit); strings.HasPrefix(line[1], "[") && size != want {
				t.Errorf("%s: speedscope shows %s as %s, want %s", log, line[1], size, want)
			}
		}
	}
}

// byKind adds up what a row of a report holds of each kind.
func byKind(r *analysis.Row, kinds map[string]int64) {
	for i := range r.Ranges {
		kinds[string(r.Ranges[i].Kind)] += r.Ranges[i].Bytes
	}
	for i := range r.Parts {
		byKind(&r.Parts[i], kinds)
	}
}

// inSpeedscope is how speedscope writes a number.
func inSpeedscope(n int64, unit string) string {
	if unit == "none" {
		return strconv.FormatInt(n, 10)
	}
	x, units := float64(n), []string{"B", "KB", "MB", "GB", "TB"}
	for x >= 1024 && len(units) > 1 {
		x, units = x/1024, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.2f %s", x, units[0])
}
