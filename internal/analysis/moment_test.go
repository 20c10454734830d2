package analysis

import (
	"errors"
	"strings"
	"testing"
)

func TestParseMoment(t *testing.T) {
	for s, want := range map[string]Moment{
		"end": {}, "start": {Kind: AtStart}, "peak": {Kind: AtPeak}, "1.5s": {Kind: AtTime, T: 1_500_000_000}, "200ms": {Kind: AtTime, T: 200_000_000}, "seq:12": {Kind: AtSeq, Seq: 12},
	} {
		m, err := ParseMoment(s)
		if err != nil || m != want {
			t.Errorf("%s: %+v, %v", s, m, err)
		}
		if again, err := ParseMoment(m.String()); err != nil || again != want {
			t.Errorf("%s: written as %s", s, m)
		}
	}
	for _, s := range []string{"", "now", "-1s", "seq:", "seq:x", "seq:-1", "12"} {
		if m, err := ParseMoment(s); err == nil {
			t.Errorf("%s: %+v", s, m)
		}
	}
}

const (
	execLine   = `{"type":"event","seq":2,"t":20000,"space":1,"pid":10,"tid":10,"call":"execve","args":{},"result":0,"stack":null,"changes":[]}`
	execedLine = `{"type":"space","space":2,"t":20000,"after":2,"pid":10,"cause":"exec","parent":1,"exe":"/bin/true","argv":["true"],"mappings":[` + pageOfExe + `]}`
	renamed    = `{"type":"thread","t":20000,"tid":10,"pid":10,"space":2,"what":"exec","name":"true"}`
	exitLine   = `{"type":"thread","t":90000,"tid":10,"pid":10,"space":2,"what":"exit","name":"true"}`
	growth     = `{"type":"drift","t":15000,"after":1,"space":1,"changes":[{"start":"0x7ffffffd0000","end":"0x7ffffffd1000","was":null,"now":{"perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"[stack]","origin":null,"origin_cause":"stack growth"}}],"guess":"stack growth"}`
	forkLine   = `{"type":"space","space":2,"t":16000,"after":1,"pid":11,"cause":"fork","parent":1,"exe":"/bin/x","argv":["x"],"mappings":[` + pageOfExe + `]}`
)

// TestNotInTheLog: a moment that the log does not reach is an error that says where it ends.
func TestNotInTheLog(t *testing.T) {
	open := textLog(mapLine(1, 0x7f0000000000, 0x7f0000002000), `{"type":"end","t":40900000,"cause":"exit","exit":{"code":0},"events":1,"stacks":0,"checks":0,"drifts":0,"lost":0}`)
	for at, want := range map[Moment]string{
		{Kind: AtTime, T: 40900001}: "the log ends at 0.0409 s", {Kind: AtTime, T: 10e9}: "no moment 10s", {Kind: AtSeq, Seq: 2}: "no event 2: the log ends with event 1",
		{Kind: AtTime, T: 40900000}: "", {Kind: AtSeq, Seq: 1}: "", {Kind: AtStart}: "",
	} {
		_, err := Load(open, at, nil)
		if _, herr := ReadHistory(open, at, nil, 0x400000, HistoryOptions{}); (herr == nil) != (err == nil) {
			t.Errorf("%v: history says %v, report %v", at, herr, err)
		}
		var beyond *BeyondError
		if want == "" && err != nil || want != "" && (!errors.As(err, &beyond) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v: %v, want %q", at, err, want)
		}
	}
}

// TestStart: the first whole state is what was launched, or found, all of it; there is no moment before it.
func TestStart(t *testing.T) {
	attached := func(id, pid string) string {
		return strings.NewReplacer(`"space":2`, `"space":`+id, `"pid":11`, `"pid":`+pid, `"fork","parent":1`, `"attach","parent":null`, `"after":1`, `"after":0`).Replace(forkLine)
	}
	for _, at := range []Moment{{Kind: AtStart}, {Kind: AtTime}, {Kind: AtSeq}} {
		s, err := Load(textLog(attached("2", "11"), attached("3", "12"), growth, mapLine(1, 0x7f0000000000, 0x7f0000002000)), at, nil)
		if err != nil || len(s.processes) != 3 || s.processes[0].total().reserved != 4096 {
			t.Errorf("@%v: %+v, %v", at, s, err)
		}
	}
}

// TestAtSeq: the event is the last line that is taken in, growth of a stack and forks behind it are not; an execve is
// what it began.
func TestAtSeq(t *testing.T) {
	map1 := mapLine(1, 0x7f0000000000, 0x7f0000002000)
	s, err := Load(textLog(map1, growth, forkLine, mapLine(2, 0x7f0000100000, 0x7f0000102000)), Moment{Kind: AtSeq, Seq: 1}, nil)
	if err != nil || len(s.processes) != 1 || s.processes[0].total().reserved != 3<<12 {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = Load(textLog(map1, execLine, execedLine, renamed, exitLine), Moment{Kind: AtSeq, Seq: 2}, nil)
	if err != nil || len(s.processes) != 1 || s.processes[0].Exe != "/bin/true" || s.thread(10, s.T) != "10 true" {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestNameAtTheMoment: a thread bears the name that it had, not that of a program it executed later.
func TestNameAtTheMoment(t *testing.T) {
	open := textLog(mapLine(1, 0x7f0000000000, 0x7f0000002000), execLine, execedLine, renamed, exitLine)
	for at, want := range map[Moment]string{{Kind: AtSeq, Seq: 1}: "10 x", {Kind: AtStart}: "10 x", {}: "10 true"} {
		s, err := Load(open, at, nil)
		if err != nil || s.thread(10, s.T) != want {
			t.Errorf("@%v: %q, %v, want %s", at, s.thread(10, s.T), err, want)
		}
	}
}

// TestOnePeak: a process has one peak, whatever it executes and whoever asks, and it is its own.
func TestOnePeak(t *testing.T) {
	child := strings.NewReplacer(`"seq":2`, `"seq":2`, `"space":1,"pid":10,"tid":10`, `"space":2,"pid":11,"tid":11`).Replace(mapLine(2, 0x7f0000100000, 0x7f0000900000))
	lines := []string{mapLine(1, 0x7f0000000000, 0x7f0000002000), forkLine, `{"type":"thread","t":16000,"tid":11,"pid":11,"space":2,"what":"start","name":"x"}`, child,
		`{"type":"thread","t":25000,"tid":11,"pid":11,"space":2,"what":"exit","name":"x"}`,
		strings.Replace(execLine, `"seq":2`, `"seq":3`, 1), strings.NewReplacer(`"space":2`, `"space":3`, `"after":2`, `"after":3`).Replace(execedLine), strings.Replace(renamed, `"space":2`, `"space":3`, 1)}
	r := NewRecording("")
	reader, err := textLog(lines...)()
	if err != nil {
		t.Fatal(err)
	}
	for rec, err := reader.Next(); err == nil; rec, err = reader.Next() {
		r.Put(rec)
	}
	peaks := map[string]int64{"summary": r.Summary().Report.Processes[0].Peak}
	for name, pids := range map[string][]int{"all": nil, "alone": {10}} {
		s, err := Load(textLog(lines...), Moment{}, pids)
		if err != nil {
			t.Fatal(err)
		}
		rep := s.Report(ReportOptions{})
		peaks[name] = rep.Processes[0].Peak
		if name == "alone" {
			peaks["of the report"] = rep.Peak
		}
	}
	for name, n := range peaks {
		if n != 3<<12 {
			t.Errorf("%s: %d, want %d", name, n, 3<<12)
		}
	}
}
