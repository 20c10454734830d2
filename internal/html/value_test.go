package html

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

func fileLog(name string) analysis.Open {
	return func() (*eventlog.Reader, error) {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		return eventlog.NewReader(bytes.NewReader(data))
	}
}

// read makes the value of a log as a page gets it: out of JSON.
func read(t *testing.T, name string, o Options) *Value {
	t.Helper()
	made, _, err := Read(fileLog(name), name, o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	var v Value
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return &v
}

// sums are what rows of a report have in common with what the pictures show.
type sums map[string]analysis.Totals

func (s sums) add(key string, n analysis.Totals) {
	old := s[key]
	old.Add(&n)
	s[key] = old
}

// drawn is what the pictures show of a process at a moment: all of it, and by heading, function and chain of calls.
func (v *Value) drawn(process, at int) (total analysis.Totals, kinds, functions, chains sums) {
	kinds, functions, chains = sums{}, sums{}, sums{}
	r, f := &v.Ranges, &v.Figures
	last := map[int]int{} // of each range the figures at the moment
	for i, x := range f.Range {
		if f.Moment[i] <= at {
			last[x] = i
		}
	}
	for i, p := range r.Process {
		if p != process || at < r.From[i] || at >= r.To[i] {
			continue
		}
		j := last[i]
		n := analysis.Totals{Reserved: int64(r.Pages[i]) * 4096, Resident: f.Resident[j], Uncounted: f.Uncounted[j], Shared: f.PSS[j], Dirty: f.Private[j], Swapped: f.Swapped[j], Mappings: 1}
		if strings.ContainsAny(v.Strings[v.Whats.Perms[r.What[i]]], "rwx") {
			n.Committed = n.Reserved
		} else if n.Resident != nil {
			n.Committed = *n.Resident
		}
		c := v.Chains[v.Makers.Chain[r.Maker[i]]]
		total.Add(&n)
		kinds.add(v.Headings[v.Whats.Heading[r.What[i]]].Word, n)
		functions.add(v.Strings[c.Calls[c.Keep-1]], n)
		var calls []string
		for _, s := range slices.Backward(c.Calls) {
			calls = append(calls, v.Strings[s])
		}
		chains.add(strings.Join(calls, " > "), n)
	}
	return total, kinds, functions, chains
}

// reported is the same out of a report.
func reported(s *analysis.State, i int) (p analysis.ReportProcess, kinds, functions, chains sums) {
	kinds, functions, chains = sums{}, sums{}, sums{}
	p = s.Report(analysis.ReportOptions{}).Processes[i]
	p.Total.Common, p.Total.Huge, p.Total.Locked = nil, nil, nil // the pictures have none of these
	one := func(n analysis.Totals) analysis.Totals {
		n.Count, n.Free, n.Common, n.Huge, n.Locked = 0, nil, nil, nil, nil
		return n
	}
	for _, r := range p.Holders {
		kinds.add(rowHeading(s, i, &r), one(r.Totals))
	}
	for _, r := range s.Report(analysis.ReportOptions{By: analysis.ByFunction}).Processes[i].Holders {
		functions.add(r.Label, one(r.Totals))
	}
	var walk func(prefix string, rows []analysis.Row)
	walk = func(prefix string, rows []analysis.Row) {
		for _, r := range rows {
			path := prefix + strings.Join(r.Nested, " > ")
			n := one(r.Totals)
			chains.add(path, n)
			walk(path+" > ", r.Parts)
		}
	}
	walk("", s.Report(analysis.ReportOptions{By: analysis.ByStack}).Processes[i].Holders)
	return p, kinds, functions, chains
}

// rowHeading is the heading of a row by kind: of any of its ranges.
func rowHeading(s *analysis.State, i int, r *analysis.Row) (word string) {
	for len(r.Parts) > 0 {
		r = &r.Parts[0]
	}
	n := 0
	s.Held(func(_ *analysis.ReportProcess, held []analysis.Held) bool {
		if n++; n <= i {
			return true
		}
		for j := range held {
			if held[j].Start == r.Ranges[0].Start {
				word = held[j].Heading.Word
			}
		}
		return false
	})
	return word
}

// TestNumbers holds every number that the pictures show of a moment against the report of that moment.
func TestNumbers(t *testing.T) {
	for _, name := range testenv.Files(t, "../report/testdata/*.jsonl", "../eventlog/testdata/*.jsonl") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			holdNumbers(t, name, Options{Moments: 25, Mappings: 1 << 20, Ranges: 1 << 20})
		})
	}
}

// TestNumbersOfFewMoments does so where moments were left out again, since there were too many ranges.
func TestNumbersOfFewMoments(t *testing.T) {
	for _, name := range []string{"report/testdata/case", "eventlog/testdata/real-fork", "eventlog/testdata/real-attach"} {
		if v := holdNumbers(t, "../"+name+".jsonl", Options{Moments: 200, Mappings: 1 << 20, Ranges: 10}); v.Every || len(v.Moments) > 16 {
			t.Errorf("%s: %d moments, every one: %v", name, len(v.Moments), v.Every)
		}
	}
}

func holdNumbers(t *testing.T, name string, o Options) *Value {
	t.Helper()
	v := read(t, name, o)
	compared := 0
	drawn := map[uint64]bool{} // events of which a moment has something
	for at, m := range v.Moments {
		moment, err := analysis.ParseMoment(m.Moment)
		if err != nil {
			t.Fatal(err)
		}
		s, err := analysis.Load(fileLog(name), moment, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.T != m.T || s.Seq != m.Seq {
			t.Errorf("%s is at %d after event %d, the report's at %d after %d", m.Moment, m.T, m.Seq, s.T, s.Seq)
		}
		s.Held(func(_ *analysis.ReportProcess, held []analysis.Held) bool {
			for i := range held {
				if o := held[i].Origin; o != nil {
					drawn[*o] = true
				}
			}
			return true
		})
		shown := 0
		for i := range v.Processes {
			if slices.Contains(v.Processes[i].Moments, at) {
				shown++
			}
		}
		list := s.Report(analysis.ReportOptions{}).Processes
		if len(list) != shown {
			t.Errorf("%s: %d processes are shown, the report has %d", m.Moment, shown, len(list))
		}
		for i := range list {
			want, kinds, functions, chains := reported(s, i)
			place := slices.IndexFunc(v.Processes, func(p Process) bool { return p.Space == want.Space })
			p := &v.Processes[place]
			k := slices.Index(p.Moments, at)
			total, gotKinds, gotFunctions, gotChains := v.drawn(place, at)
			total.Count = p.Count[k]
			if total.Mappings == 0 && p.ResidentAt[k] != nil { // of nothing, nothing is in memory
				total.Resident, total.Shared, total.Dirty, total.Swapped = new(int64), new(int64), new(int64), new(int64)
			}
			want.Total.Free = nil
			hold(t, m.Moment+" total", total, want.Total)
			hold(t, m.Moment+" kinds", gotKinds, kinds)
			hold(t, m.Moment+" functions", gotFunctions, functions)
			for path, n := range gotChains { // by stack a row has what the rows below it have, too
				for other, more := range gotChains {
					if strings.HasPrefix(other, path+" > ") {
						n.Add(&more)
					}
				}
				if w, known := chains[path]; known {
					hold(t, m.Moment+" "+path, n, w)
					compared++
				} else {
					t.Errorf("%s: no row of the report by stack is %q", m.Moment, path)
				}
			}
			if v.Advice != "" {
				gave, brought := analysis.SumAdvised(want.Advised)
				hold(t, m.Moment+" given back and brought in", []any{p.GaveBack[k], p.Brought[k]}, []any{gave, brought})
				if at == len(v.Moments)-1 {
					hold(t, m.Moment+" advised", p.Advised, want.Advised)
					v.holdPoints(t, place)
				}
			} else if len(p.GaveBack)+len(p.Advised)+len(v.Advised) > 0 {
				t.Errorf("%s: advice in a log without it: %+v", m.Moment, p)
			}
			hold(t, m.Moment+" else", []any{p.VMAs[k], p.Peak[k], p.ResidentAt[k], p.Mappings[k]}, []any{want.VMAs, want.Peak, want.ResidentAt, want.Total.Mappings})
			if at == len(v.Moments)-1 {
				hold(t, m.Moment+" process", []any{p.PID, p.Name, p.Exe, p.Ended, p.Until}, []any{want.PID, want.Name, want.Exe, want.Ended, want.Until})
			}
		}
	}
	holdUnseen(t, name, v, drawn)
	growth, err := analysis.ReadGrowth(fileLog(name), analysis.GrowthOptions{})
	if err != nil {
		t.Fatal(err)
	}
	hold(t, "growth", v.Growth, growth)
	if compared == 0 {
		t.Errorf("%s: nothing was compared", name)
	}
	return v
}

// holdPoints holds the points of a process's advice against its rows: all together are the same calls, in the order of time.
func (v *Value) holdPoints(t *testing.T, process int) {
	t.Helper()
	var points []analysis.Advised
	for _, x := range v.Advised {
		if x.Process == process {
			points = append(points, x.Advised)
		}
	}
	type sum struct {
		gave, brought *int64
		bytes         int64
		calls         int
	}
	add := func(list []analysis.Advised) (s sum) {
		s.gave, s.brought = analysis.SumAdvised(list)
		for i := range list {
			s.bytes, s.calls = s.bytes+list[i].Bytes, s.calls+list[i].Times+list[i].Failed
		}
		return s
	}
	if got, want := add(points), add(v.Processes[process].Advised); !reflect.DeepEqual(got, want) {
		t.Errorf("the points of advice have %+v, the rows %+v", got, want)
	}
	if !slices.IsSortedFunc(points, func(a, b analysis.Advised) int { return cmp.Compare(a.First, b.First) }) {
		t.Errorf("the points of advice are in no order: %+v", points)
	}
}

// holdUnseen holds what came and went between two moments against the log, drawn being the events of which a moment has something.
func holdUnseen(t *testing.T, name string, v *Value, drawn map[uint64]bool) {
	t.Helper()
	r, err := fileLog(name)()
	if err != nil {
		t.Fatal(err)
	}
	made, shown, unseen := 0, 0, map[int][]int{}
	for i := range v.Processes {
		unseen[v.Processes[i].Space] = make([]int, len(v.Processes[i].Moments))
	}
	for {
		rec, err := r.Next()
		if err != nil {
			break // the end, or the cut
		}
		e, ok := rec.(*eventlog.Event)
		if !ok || !slices.ContainsFunc(e.Changes, func(c eventlog.Change) bool { return c.Now != nil && c.Now.Origin != nil && *c.Now.Origin == e.Seq }) {
			continue
		}
		made++
		if drawn[e.Seq] {
			shown++
			continue
		}
		for i := range v.Processes {
			p := &v.Processes[i]
			if k := slices.IndexFunc(p.Moments, func(at int) bool { return v.Moments[at].Seq >= e.Seq }); p.Space == e.Space && k >= 0 {
				unseen[p.Space][k]++
			}
		}
	}
	hold(t, "made and shown", []int{v.Made, v.Shown}, []int{made, shown})
	for i := range v.Processes {
		p := &v.Processes[i]
		hold(t, fmt.Sprintf("unseen of space %d", p.Space), p.Unseen, unseen[p.Space])
	}
}

func hold(t *testing.T, what string, got, want any) {
	t.Helper()
	a, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Errorf("%s: the pictures have %s, the report %s", what, a, b)
	}
}

// TestFiguresChange: what is in memory of a mapping changes from one snapshot to the next, though nothing is mapped.
func TestFiguresChange(t *testing.T) {
	page := func(start, end, cause string, rss int) string {
		return fmt.Sprintf(`{"start":"%s","end":"%s","perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"","origin":%s,"rss":%d,"pss":%d,"private_dirty":%d,"swap":0}`, start, end, cause, rss, rss, rss)
	}
	lines := []string{
		`{"type":"header","format":"vmblame","version":1,"tool":"t","mode":"run","command":["x"],"started":"2026-01-01T00:00:00Z","host":{"kernel":"6.1","arch":"x86_64","page_size":4096,"cpus":2,"hostname":"h"},"environment":{}}`,
		`{"type":"space","space":1,"t":1,"after":0,"pid":10,"cause":"launch","parent":null,"exe":"/bin/x","argv":["x"],"mappings":[]}`,
		`{"type":"thread","t":1,"tid":10,"pid":10,"space":1,"what":"start","name":"x"}`,
	}
	for seq := 1; seq <= 9; seq++ {
		start := fmt.Sprintf("%#x", 0x7f0000000000+seq*0x10000)
		end := fmt.Sprintf("%#x", 0x7f0000000000+seq*0x10000+0x8000)
		lines = append(lines, fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,"call":"mmap","args":{"addr":"0x0","length":32768,"prot":3,"flags":34,"fd":-1,"offset":0},"result":"%s","stack":null,"changes":[{"start":"%s","end":"%s","was":null,"now":{"perms":"rw-p","offset":0,"dev":"00:00","inode":0,"path":"","origin":%d}}]}`,
			seq, seq*1000, start, start, end, seq))
		if seq%4 == 0 {
			lines = append(lines, fmt.Sprintf(`{"type":"snapshot","t":%d,"after":%d,"space":1,"cause":"interval","mappings":[%s]}`, seq*1000, seq, page("0x7f0000010000", "0x7f0000018000", "1", seq*4096)))
		}
	}
	file := filepath.Join(t.TempDir(), "log.jsonl")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := holdNumbers(t, file, Options{Moments: 100, Mappings: 1 << 20, Ranges: 1 << 20})
	if n := len(v.Figures.Range) - len(v.Ranges.From); n != 1 {
		t.Errorf("%d times figures changed, want once", n)
	}
	holdNumbers(t, file, Options{Moments: 100, Mappings: 1 << 20, Ranges: 5})
}
