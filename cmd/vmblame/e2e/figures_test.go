package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/testenv"
)

// figures runs a program of testdata and returns what it says and the report of its end.
func figures(t *testing.T, name string) (string, *analysis.ReportProcess) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log.jsonl")
	told := output(t, built.vmblame, "run", "-q", "-o", log, "--", prog(t, name))
	output(t, built.vmblame, "check", log)
	var r analysis.Report
	if err := json.Unmarshal([]byte(output(t, built.vmblame, "report", "--json", log)), &r); err != nil {
		t.Fatal(err)
	}
	return told, &r.Processes[0]
}

// TestRowsOfTheKernel: flags that madvise gave to parts of one mapping make rows of them, which count.
func TestRowsOfTheKernel(t *testing.T) {
	told, p := figures(t, "vmas_madvise")
	var rows int
	if _, err := fmt.Sscanf(told, "%d rows", &rows); err != nil {
		t.Fatalf("%q: %v", told, err)
	}
	// The program counts [vsyscall] too, and what it opened to count.
	if p.VMAs < rows-2 || p.VMAs > rows {
		t.Errorf("%d rows, the program has %d", p.VMAs, rows)
	}
}

// TestHugePagesAreResident: the kernel leaves huge pages out of Rss.
func TestHugePagesAreResident(t *testing.T) {
	testenv.Need(t, "hugetlb")
	_, p := figures(t, "hugetlb_resident")
	for _, h := range p.Holders {
		if strings.HasPrefix(h.Label, "huge pages") {
			if h.Resident == nil || *h.Resident != 20<<20 {
				t.Errorf("%s: %v resident, want 20 MiB", h.Label, h.Resident)
			}
			return
		}
	}
	t.Errorf("no huge pages in %+v", p.Holders)
}
