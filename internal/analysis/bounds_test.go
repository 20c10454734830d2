package analysis

import (
	"testing"
)

// pressedLog is a log of a program that is near to its cgroup's bound, with every figure that a snapshot can have, and that
// was killed for it.
func pressedLog(environment string) Open {
	return textLogIn(environment, mapLine(1, 0x7000000000, 0x7000100000),
		`{"type":"snapshot","t":15000,"after":1,"space":1,"cause":"interval","mappings":[{"start":"0x400000","end":"0x401000","perms":"r-xp","offset":0,"dev":"fe:00","inode":9,"path":"/bin/x","origin":null,"origin_cause":"kernel","exec":null,"rss":4096,"pss":2048,"private_dirty":0,"swap":0,"shared":4096},{"start":"0x7000000000","end":"0x7000100000","perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"","origin":1,"rss":1048576,"pss":1048576,"private_dirty":1048576,"swap":0,"huge":524288,"locked":1048576}],"system":{"cgroup_current":95000000,"cgroup_high":200000000,"cgroup_max":100000000,"commit_limit":5000000000,"committed":1000000000,"hugepages":4,"hugepages_free":1,"locked":1048576,"resident_peak":2097152}}`,
		mmapFailed(2, 1<<20, "ENOMEM"),
		`{"type":"thread","t":30000,"tid":10,"pid":10,"space":1,"what":"exit","name":"x","exit":{"signal":9,"name":"SIGKILL"}}`,
		`{"type":"end","t":40000,"cause":"exit","exit":{"signal":9,"name":"SIGKILL"},"events":2,"stacks":0,"checks":0,"drifts":0,"lost":0,"system":{"cgroup_max":100000000,"cgroup_max_events":7,"cgroup_oom_kills":1}}`)
}

// TestBounds: what a process can run against, how near it is, and that what was not recorded is not said to be far away.
func TestBounds(t *testing.T) {
	s, err := Load(pressedLog(`{"rlimit_as":"2000000","rlimit_data":"unlimited","rlimit_memlock":"8388608","max_map_count":"65530","overcommit_memory":"2"}`), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := s.Report(ReportOptions{}).Processes[0]
	type want struct {
		state       string
		value, used int64 // -1 for none
		refused     int
		near        bool
	}
	wants := map[string]want{
		"rlimit_as": {Limited, 2000000, 0x101000, 1, true}, "rlimit_data": {Unlimited, -1, 1 << 20, 0, false}, "rlimit_memlock": {Limited, 8388608, 1 << 20, 0, false},
		"max_map_count": {Limited, 65530, 2, 0, false}, "cgroup_max": {Limited, 100000000, 95000000, 0, true}, "cgroup_high": {Limited, 200000000, 95000000, 0, false},
		"commit_limit": {Limited, 5000000000, 1000000000, 0, false}, "hugepages": {Limited, 4, 3, 0, false},
	}
	number := func(n *int64) int64 {
		if n == nil {
			return -1
		}
		return *n
	}
	for _, b := range p.Bounds {
		if got := (want{b.State, number(b.Value), number(b.Used), b.Refused, b.Near}); got != wants[b.Name] {
			t.Errorf("%s: %+v, want %+v", b.Name, got, wants[b.Name])
		}
		if b.Name == "cgroup_max" && (b.Hits == nil || *b.Hits != 7) {
			t.Errorf("hits: %v", b.Hits)
		}
		delete(wants, b.Name)
	}
	if len(wants) > 0 {
		t.Errorf("not told: %v", wants)
	}
	if number(p.HighWater) != 2<<20 {
		t.Errorf("most in memory: %d", number(p.HighWater))
	}
	if p.Exit == nil || p.Exit.Name != "SIGKILL" || number(p.Kills) != 1 {
		t.Errorf("the end: %+v, %v killed", p.Exit, number(p.Kills))
	}
	if n := p.Total; number(n.Common) != 4096 || number(n.Huge) != 1<<19 || number(n.Locked) != 1<<20 {
		t.Errorf("shared %d, huge %d, locked %d", number(n.Common), number(n.Huge), number(n.Locked))
	}
	// What was not recorded.
	s, err = Load(textLogIn(`{}`), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	p = s.Report(ReportOptions{}).Processes[0]
	for _, b := range p.Bounds {
		if b.State != NotRecorded || b.Near || b.Value != nil {
			t.Errorf("nothing was recorded: %+v", b)
		}
	}
	if p.Total.Common != nil || p.Kills != nil || p.Exit != nil {
		t.Errorf("nothing was recorded: %+v", p)
	}
	// What is locked beyond a limit is not held by it: the limit does not count for who has the right.
	s, err = Load(pressedLog(`{"rlimit_memlock":"1000000"}`), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range s.Report(ReportOptions{}).Processes[0].Bounds {
		if b.Name == "rlimit_memlock" && (b.Near || number(b.Used) != 1<<20 || number(b.Value) != 1000000) {
			t.Errorf("locked beyond the limit: %+v", b)
		}
	}
	// A program that an entrypoint executes has the limits that it began with, not those of the recording.
	s = failedState(t, `{"rlimit_as":"unlimited"}`, `{"type":"space","space":2,"t":2,"after":0,"pid":10,"cause":"exec","parent":1,"exe":"/bin/y","argv":["y"],"environment":{"variables":{},"others":[],"limits":{"rlimit_as":"4096"}},"mappings":[`+pageOfExe+`]}`)
	if q := s.processes[len(s.processes)-1]; q.Exe != "/bin/y" {
		t.Errorf("the last program is %s", q.Exe)
	} else if b := s.bounds(q, nil, 1)[0]; b.State != Limited || number(b.Value) != 4096 || !b.Near {
		t.Errorf("%s: %+v", q.Exe, b)
	}
	// Of what else was attached to the limits are its own.
	s = failedState(t, `{"rlimit_as":"2000000"}`, `{"type":"space","space":2,"t":2,"after":0,"pid":11,"cause":"attach","parent":null,"exe":"/bin/y","argv":["y"],"mappings":[`+pageOfExe+`]}`)
	for _, q := range s.processes {
		if b := s.bounds(q, nil, 1)[0]; (b.State == Limited) != (q.PID == 10) {
			t.Errorf("pid %d: %+v", q.PID, b)
		}
	}
}
