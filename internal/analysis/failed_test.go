package analysis

import (
	"fmt"
	"strings"
	"testing"
)

// mmapFailed is an mmap of n bytes of private memory that failed.
func mmapFailed(seq int, n uint64, errno string) string {
	return fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,"call":"mmap","args":{"addr":"0x0","length":%d,"prot":3,"flags":34,"fd":-1,"offset":0},"error":%q,"stack":null,"changes":[]}`, seq, 10000*seq, n, errno)
}

func failedState(t *testing.T, environment string, lines ...string) *State {
	t.Helper()
	s, err := Load(textLogIn(environment, lines...), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAgainst: the limit that a call ran against is the one that the figures say, and none where they say nothing.
func TestAgainst(t *testing.T) {
	replace := func(line string, oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(line) }
	protect := `{"type":"event","seq":1,"t":10000,"space":1,"pid":10,"tid":10,"call":"mprotect","args":{"addr":"0x400000","len":8192,"prot":1},"error":"ENOMEM","stack":null,"changes":[]}`
	for _, c := range []struct {
		what, environment, line string
		limit                   string // name, value and use
		confidence              string
		asked                   int64
	}{
		{"more than RLIMIT_AS", `{"rlimit_as":"3072000000"}`, mmapFailed(1, 6<<30, "ENOMEM"), "rlimit_as 3072000000 4096", "certain", 6 << 30},
		{"within RLIMIT_AS", `{"rlimit_as":"3072000000"}`, mmapFailed(1, 1<<30, "ENOMEM"), "", "", 1 << 30},
		{"unlimited", `{"rlimit_as":"unlimited","rlimit_data":"unlimited"}`, mmapFailed(1, 6<<30, "ENOMEM"), "", "", 6 << 30},
		{"more than RLIMIT_DATA", `{"rlimit_as":"unlimited","rlimit_data":"1000000"}`, mmapFailed(1, 1<<20, "ENOMEM"), "rlimit_data 1000000 0", "certain", 1 << 20},
		{"what cannot be written to", `{"rlimit_data":"1000000"}`, replace(mmapFailed(1, 1<<20, "ENOMEM"), `"prot":3`, `"prot":0`), "", "", 1 << 20},
		{"too many rows", `{"max_map_count":"1"}`, mmapFailed(1, 4096, "ENOMEM"), "max_map_count 1 1", "certain", 4096},
		{"far from too many rows", `{"max_map_count":"65530"}`, mmapFailed(1, 4096, "ENOMEM"), "", "", 4096},
		{"more than there are", `{"overcommit_memory":"0"}`, mmapFailed(1, 1<<47, "ENOMEM"), "addresses 140737488355328 4096", "certain", 1 << 47},
		{"overcommit", `{"overcommit_memory":"0","rlimit_as":"unlimited"}`, mmapFailed(1, 1<<40, "ENOMEM"), "overcommit_memory 0 ?", "likely", 1 << 40},
		{"no overcommit without reserve", `{"overcommit_memory":"0"}`, replace(mmapFailed(1, 1<<40, "ENOMEM"), `"flags":34`, `"flags":16418`), "", "", 1 << 40},
		{"locked", `{"rlimit_memlock":"65536"}`, replace(mmapFailed(1, 1<<20, "EAGAIN"), `"flags":34`, `"flags":8226`), "rlimit_memlock 65536 ?", "certain", 1 << 20},
		{"huge pages", `{"nr_hugepages":"0"}`, replace(mmapFailed(1, 2<<20, "ENOMEM"), `"flags":34`, `"flags":262178`), "nr_hugepages ? ?", "likely", 2 << 20},
		{"a hole", `{"rlimit_as":"1"}`, protect, "not mapped ? ?", "certain", 0},
		{"another error", `{"rlimit_as":"1"}`, mmapFailed(1, 6<<30, "EINVAL"), "", "", 6 << 30},
	} {
		f := failedState(t, c.environment, c.line).Failed()
		if len(f.Calls) != 1 {
			t.Fatalf("%s: %+v", c.what, f)
		}
		got, confidence := "", ""
		figure := func(n *int64) string {
			if n == nil {
				return "?"
			}
			return fmt.Sprint(*n)
		}
		if l := f.Calls[0].Limit; l != nil {
			got, confidence = l.Name+" "+figure(l.Value)+" "+figure(l.Used), string(l.Confidence)
		}
		if got != c.limit || confidence != c.confidence || f.Calls[0].Asked != c.asked {
			t.Errorf("%s: %q %s, %d bytes; want %q %s, %d", c.what, got, confidence, f.Calls[0].Asked, c.limit, c.confidence, c.asked)
		}
		if refused := len(failedState(t, c.environment, c.line).Report(ReportOptions{}).Refused) == 1; refused != (c.what != "a hole" && c.what != "another error") {
			t.Errorf("%s: refused memory: %v", c.what, refused)
		}
	}
}

// TestGuessedOvercommit: a kernel that guesses refuses no less than the memory of the machine; what asked for less is not said
// to have run against its promises, by the calls or by the bounds.
func TestGuessedOvercommit(t *testing.T) {
	snapshot := `{"type":"snapshot","t":30000,"after":2,"space":1,"cause":"interval","mappings":[` + strings.TrimSuffix(pageOfExe, "}") + `,"rss":4096,"pss":4096,"private_dirty":0,"swap":0}],"system":{"memory":17179869184}}`
	for _, c := range []struct {
		mode  string
		asked uint64
		limit bool
	}{{"0", 3 << 30, false}, {"0", 16 << 30, false}, {"0", 17 << 30, true}, {"2", 3 << 30, true}} {
		s := failedState(t, `{"rlimit_as":"unlimited","overcommit_memory":"`+c.mode+`"}`, mmapFailed(1, c.asked, "ENOMEM"), mapLine(2, 0x7000000000, 0x7000100000), snapshot)
		f := s.Failed().Calls[0]
		if limit := f.Limit; (limit != nil) != c.limit || !f.Refused {
			t.Errorf("mode %s, %d bytes: %+v", c.mode, c.asked, limit)
		}
		for _, b := range s.Report(ReportOptions{}).Processes[0].Bounds {
			if b.Name == "commit_limit" && b.Near != c.limit {
				t.Errorf("mode %s, %d bytes: %+v", c.mode, c.asked, b)
			}
		}
	}
}

// TestFailedTogether: what fails again and again at one place is told once, what was refused memory first; up to the moment,
// and of the processes that were asked for.
func TestFailedTogether(t *testing.T) {
	lines := []string{mmapFailed(1, 4096, "EINVAL"), mmapFailed(2, 4096, "EINVAL"), mmapFailed(3, 6<<30, "ENOMEM"), mmapFailed(4, 6<<30, "ENOMEM"), mmapFailed(5, 4096, "EINVAL"),
		`{"type":"event","seq":6,"t":60000,"space":1,"pid":10,"tid":10,"call":"execve","args":{"pathname":"/x"},"error":"ENOENT","stack":null,"changes":[]}`}
	f := failedState(t, `{"rlimit_as":"1000000"}`, lines...).Failed()
	if len(f.Calls) != 2 || f.Times != 5 || f.Calls[0].Error != "ENOMEM" || f.Calls[0].Times != 2 || f.Calls[0].Event != 3 || f.Calls[0].Last != 40000 || f.Calls[1].Times != 3 {
		t.Errorf("%+v", f)
	}
	s, err := Load(textLog(lines...), Moment{Kind: AtSeq, Seq: 1}, nil)
	if err != nil || s.Failed().Times != 1 {
		t.Errorf("%+v, %v", s.Failed(), err)
	}
}

// TestFailedApart: one place that meets several limits is told once for each, and a limit refused only what ran against it.
func TestFailedApart(t *testing.T) {
	environment := `{"rlimit_as":"2000000","rlimit_data":"1000000","max_map_count":"65530"}`
	f := failedState(t, environment, mmapFailed(1, 6<<30, "ENOMEM"), mmapFailed(2, 1<<20, "ENOMEM"), mmapFailed(3, 4096, "ENOMEM"),
		mmapFailed(4, 1<<47, "ENOMEM"), mmapFailed(5, 1<<20, "ENOMEM"))
	got := ""
	for _, c := range f.Failed().Calls {
		got += fmt.Sprintf("%s: event %d, %d times until %d\n", c.Limit.word(), c.Event, c.Times, c.Last)
	}
	if want := `rlimit_data 1000000: event 2, 2 times until 50000
rlimit_as 2000000: event 1, 1 times until 10000
: event 3, 1 times until 30000
addresses 140737488355328: event 4, 1 times until 40000
`; got != want {
		t.Errorf("%s", got)
	}
	for _, b := range f.Report(ReportOptions{}).Processes[0].Bounds {
		if want := map[string]int{"rlimit_as": 1, "rlimit_data": 2}[b.Name]; b.Refused != want {
			t.Errorf("%s refused %d, want %d", b.Name, b.Refused, want)
		}
	}
}

// TestFailedForEver: of a program that tries for ever, every call is counted.
func TestFailedForEver(t *testing.T) {
	var lines []string
	for i := 1; i <= 3*mostWorkedOut; i++ {
		lines = append(lines, mmapFailed(i, 6<<30, "ENOMEM"))
	}
	f := failedState(t, `{"rlimit_as":"1000000"}`, lines...).Failed()
	if len(f.Calls) != 1 || f.Calls[0].Times != 3*mostWorkedOut || f.Calls[0].Last != 30000*mostWorkedOut {
		t.Errorf("%+v", f)
	}
}
