package analysis

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// growingLog has a line of 40 MiB in 40 s by line, a step of 8 MiB at 5 s by step, a saw of 16 MiB ten times by saw, and a
// fall of what line had mapped first.
func growingLog() Open {
	const second = 1e9
	var lines []string
	functions := []string{"line", "step", "saw"}
	for i, f := range functions {
		lines = append(lines, fmt.Sprintf(`{"type":"stack","stack":%d,"frames":[{"pc":"0x400%d10","module":1,"offset":"0x%d10","via":"pc"}],"complete":true,"end":"undefined-ra"}`, i+1, i+1, i+1),
			fmt.Sprintf(`{"type":"symbol","module":1,"offset":"0x%d10","frames":[{"function":%q,"start":"0x%d00","file":"/src/%s.c","line":%d}],"source":"dwarf"}`, i+1, f, i+1, f, 10*(i+1)))
	}
	seq := 0
	at := func(line string, t float64, stack int) {
		line = strings.Replace(line, fmt.Sprintf(`"t":%d`, 10000*seq), fmt.Sprintf(`"t":%d`, int64(t*second)), 1)
		lines = append(lines, strings.Replace(line, `"stack":null`, fmt.Sprintf(`"stack":%d`, stack), 1))
	}
	for i := range 40 {
		t := float64(i) + 0.5
		seq++
		at(mapLine(seq, 0x7000000000+uint64(i)<<24, 0x7000000000+uint64(i)<<24+1<<20), t, 1)
		if i == 5 {
			seq++
			at(mapLine(seq, 0x6000000000, 0x6000800000), t+0.1, 2)
		}
		if i == 0 || i == 39 {
			line := fmt.Sprintf(`{"type":"snapshot","t":%d,"after":%d,"space":1,"cause":"interval","mappings":[%s,"rss":4096,"pss":0,"private_dirty":0,"swap":0}`, int64((t+0.1)*second), seq, strings.TrimSuffix(pageOfExe, "}"))
			if i > 0 {
				line += fmt.Sprintf(`,{"start":"0x7000000000","end":"0x7000100000",%s,"rss":1048576,"pss":0,"private_dirty":0,"swap":0}`, strings.Trim(anonPage(1), "{}"))
				line += fmt.Sprintf(`,{"start":"0x7001000000","end":"0x7001100000",%s,"rss":2097152,"pss":0,"private_dirty":0,"swap":0}`, strings.Trim(anonPage(4), "{}"))
			}
			lines = append(lines, line+"]}")
		}
		if i%4 == 0 {
			seq++
			at(mapLine(seq, 0x5000000000, 0x5001000000), t+0.2, 3)
			seq++
			at(unmapLine(seq, 0x5000000000, 0x5001000000, seq-1), t+0.3, 3)
		}
	}
	lines = append([]string{`{"type":"module","module":1,"path":"/bin/x","build_id":null,"dev":"fe:00","inode":9}`}, lines...)
	return textLog(append(lines, fmt.Sprintf(`{"type":"end","t":%d,"cause":"exit","exit":{"code":0},"events":%d,"stacks":3,"checks":0,"drifts":0,"lost":0}`, int64(40*second), seq))...)
}

// TestGrowth: a line, a step and a saw are told apart, with their rates, what was never freed, and how old that is.
func TestGrowth(t *testing.T) {
	g, err := ReadGrowth(growingLog(), GrowthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p := g.Processes[0]
	if p.Net != 48<<20 || p.Came != (48+160)<<20 || p.Went != 160<<20 {
		t.Errorf("came %d, went %d, net %d", p.Came, p.Went, p.Net)
	}
	by := map[string]GrownRow{}
	for _, r := range p.Rows {
		by[r.Calls[0]] = r
	}
	line, step, saw := by["line"], by["step"], by["saw"]
	if line.Course.Form != FormLine || line.Net != 40<<20 || line.Left != 40 || line.Each != 1<<20 || line.Where != "line.c:10" || *line.Oldest != 39.5e9 {
		t.Errorf("the line: %+v, oldest %d", line, *line.Oldest)
	}
	if hour := *line.PerHour >> 20; hour < 3500 || hour > 3800 {
		t.Errorf("the line: %d MiB an hour", hour)
	}
	if step.Course.Form != FormStep || *step.Course.T != 5.6e9 || step.PerHour != nil || step.Left != 1 {
		t.Errorf("the step: %+v", step)
	}
	if saw.Course.Form != FormSaw || saw.Course.Cycles != 10 || saw.Course.Swing != 16<<20 || saw.Net != 0 || saw.Times != 10 || saw.Unmaps != 10 || saw.Left != 0 || saw.Oldest != nil {
		t.Errorf("the saw: %+v", saw)
	}
	if p.Rows[0].Calls[0] != "line" {
		t.Errorf("first is %v", p.Rows[0].Calls)
	}
	if len(p.Memory) != 2 || p.Memory[1].Resident != 3<<20+4096 || *line.Resident != 3<<20 || *step.Resident != 0 {
		t.Errorf("in memory: %+v, line %d, step %d", p.Memory, *line.Resident, *step.Resident)
	}
	// Between two moments, and chosen.
	since := Moment{Kind: AtTime, T: 20e9}
	g, err = ReadGrowth(growingLog(), GrowthOptions{Until: Moment{Kind: AtTime, T: 30e9}, Filter: Filter{Since: &since, Function: regexp.MustCompile("^line$")}})
	if err != nil {
		t.Fatal(err)
	}
	if p := g.Processes[0]; len(p.Rows) != 1 || p.Net != 10<<20 || p.Rows[0].Left != 10 || p.From != 20e9 || g.Only != "function ^line$" {
		t.Errorf("chosen: %+v, %q", p, g.Only)
	}
}

// TestGrowthMoves: memory that grows by mremap and is moved each time is a line: what moves within a call has not gone and
// come again.
func TestGrowthMoves(t *testing.T) {
	const second, size = 1_000_000_000, 1 << 20
	at := func(i int) uint64 { return 0x7000000000 + uint64(i)<<24 }
	lines := []string{mapLine(1, at(1), at(1)+size)}
	for i := 2; i <= 40; i++ {
		was, now := uint64(i-1)*size, uint64(i)*size
		lines = append(lines, fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,"call":"mremap","args":{"old_address":"%#x","old_size":%d,"new_size":%d,"flags":1,"new_address":"0x0"},"result":"%#x","stack":null,"changes":[{"start":"%#x","end":"%#x","was":%s,"now":null},{"start":"%#x","end":"%#x","was":null,"now":%s}]}`,
			i, i*second, at(i-1), was, now, at(i), at(i-1), at(i-1)+was, anonPage(i-1), at(i), at(i)+now, anonPage(i)))
	}
	lines = append(lines, fmt.Sprintf(`{"type":"end","t":%d,"cause":"exit","exit":{"code":0},"events":40,"stacks":0,"checks":0,"drifts":0,"lost":0}`, 41*second))
	g, err := ReadGrowth(textLog(lines...), GrowthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p := g.Processes[0]; p.Course.Form != FormLine || p.Course.Cycles != 0 || p.Net != 40*size {
		t.Errorf("all: %+v, net %d", p.Course, p.Net)
	}
	for _, r := range g.Processes[0].Rows {
		if len(r.Calls) > 0 && r.Course.Form == FormSaw {
			t.Errorf("%v: %+v", r.Calls, r.Course)
		}
	}
}

// TestChoose: every regular expression and the time leave what they say.
func TestChoose(t *testing.T) {
	re := regexp.MustCompile
	since := Moment{Kind: AtTime, T: 30e9}
	for _, c := range []struct {
		only string
		f    Filter
		want int64
	}{
		{"", Filter{}, 48<<20 + 4096},
		{"kind code", Filter{Kind: re("code")}, 4096},
		{"function step|saw", Filter{Function: re("step|saw")}, 8 << 20},
		{"file /bin/x", Filter{File: re("/bin/x")}, 4096},
		{"thread nobody", Filter{Thread: re("nobody")}, 0},
		{"since 30s", Filter{Since: &since}, 10 << 20},
	} {
		s, err := Load(growingLog(), Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Choose(growingLog(), c.f); err != nil {
			t.Fatal(err)
		}
		r := s.Report(ReportOptions{})
		if got := r.Processes[0].Total.Reserved; got != c.want || r.Only != c.only {
			t.Errorf("%+v: %d bytes, want %d; only %q, want %q", c.f, got, c.want, r.Only, c.only)
		}
	}
}
