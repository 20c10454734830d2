package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// answeredReport is what these tests want of a report.
type answeredReport struct {
	Processes []struct {
		PID     int
		Peak    int64
		Total   struct{ Resident *int64 }
		Holders []struct {
			Label    string
			Kind     string
			Who      []string
			Reserved int64
			Resident *int64
		}
	}
}

func reportOf(t *testing.T, log string) (r answeredReport) {
	t.Helper()
	if err := json.Unmarshal([]byte(output(t, built.vmblame, "report", "--json", log)), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// recordedBy records a program of testdata, and returns the log, which check has passed.
func recordedBy(t *testing.T, flags []string, name string, args ...string) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log.jsonl")
	argv := append([]string{built.vmblame, "run", "-q", "-o", log}, flags...)
	output(t, append(append(argv, "--", prog(t, name)), args...)...)
	output(t, built.vmblame, "check", log)
	return log
}

// TestSparseTerabytes: what is in memory of 8 TiB is known without a look at all of them.
func TestSparseTerabytes(t *testing.T) {
	p := reportOf(t, recordedBy(t, nil, "sparse_terabytes")).Processes[0]
	for _, h := range p.Holders {
		if len(h.Who) > 0 && h.Who[0] == "reserve" {
			if h.Reserved != 8<<40 || h.Resident == nil || *h.Resident != 8<<10 {
				t.Errorf("%+v", h)
			}
			return
		}
	}
	t.Errorf("nobody called reserve: %+v", p)
}

// TestPeakOfOne: the peak of a process is its own.
func TestPeakOfOne(t *testing.T) {
	r := reportOf(t, recordedBy(t, nil, "peak_of_one"))
	if len(r.Processes) != 2 || r.Processes[0].Peak >= 20<<20 || r.Processes[1].Peak < 40<<20 || r.Processes[1].Peak >= 50<<20 {
		t.Errorf("%+v", r)
	}
}

// TestPeakResident: what was not counted at the peak is not 0.
func TestPeakResident(t *testing.T) {
	p := reportOf(t, recordedBy(t, nil, "peak_resident")+"@peak").Processes[0]
	for _, h := range p.Holders {
		if len(h.Who) > 0 && h.Who[0] == "work_buffer" {
			if h.Reserved != 50<<20 || h.Resident != nil && *h.Resident != 50<<20 {
				t.Errorf("%+v", h)
			}
			return
		}
	}
	t.Errorf("nobody called work_buffer: %+v", p)
}

// TestNoFollowShells: under --no-follow the log has the address space of the program alone, whoever starts what below it.
func TestNoFollowShells(t *testing.T) {
	log := recordedBy(t, []string{"--no-follow"}, "runs_shells")
	r := reportOf(t, log)
	if len(r.Processes) != 1 {
		t.Errorf("%d address spaces", len(r.Processes))
	}
	if text := output(t, built.vmblame, "report", log); strings.Contains(text, "before attach") {
		t.Errorf("something was there before:\n%s", text)
	}
}

// TestEndsWithThreads: a program that ends while its threads do was not killed, and its memory was counted unless the log says that
// it could not be.
func TestEndsWithThreads(t *testing.T) {
	for _, threads := range []string{"8", "100"} {
		log := recordedBy(t, nil, "exit_race", threads)
		text := output(t, built.vmblame, "export", "--format", "json", log)
		if strings.Contains(text, "was killed") {
			t.Errorf("%s threads: it is said to have been killed", threads)
		}
		if p := reportOf(t, log).Processes[0]; p.Total.Resident == nil && !strings.Contains(text, `"unverified"`) && !strings.Contains(text, `"uncounted"`) {
			t.Errorf("%s threads: nothing was counted, and no note says so", threads)
		}
	}
}
