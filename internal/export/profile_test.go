package export

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/testenv"
)

func profileOf(t *testing.T, log string, at analysis.Moment, bare bool) *Profile {
	t.Helper()
	p, err := NewProfile(opener(log), at, nil, filepath.Base(log), bare)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parsed(t *testing.T, p *Profile) *profile.Profile {
	t.Helper()
	var b bytes.Buffer
	if err := p.WritePprof(&b); err != nil {
		t.Fatal(err)
	}
	x, err := profile.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.CheckValid(); err != nil {
		t.Error(err)
	}
	return x
}

// valueOf is a sample's value by its name, 0 where the profile has none.
func valueOf(x *profile.Profile, s *profile.Sample, v Value) int64 {
	for i, t := range x.SampleType {
		if t.Type == v.String() {
			return s.Value[i]
		}
	}
	return 0
}

// TestPprofFigures: what pprof's own reader reads adds up to the report, all together and by kind, to the byte.
func TestPprofFigures(t *testing.T) {
	eachLog(t, func(t *testing.T, log string, at analysis.Moment) {
		s := stateOf(t, log, at)
		x := parsed(t, profileOf(t, log, at, false))
		got := map[string]figures{}
		var calls, mapped, unmapped int64
		for _, sample := range x.Sample {
			n := figures{valueOf(x, sample, Addresses), valueOf(x, sample, Usable), valueOf(x, sample, Resident), valueOf(x, sample, Mappings)}
			kinds := sample.Label["kind"]
			if (len(kinds) == 1) == (len(sample.Label["call"]) == 1) {
				t.Fatalf("labels %v", sample.Label)
			}
			for _, kind := range append(kinds, "") {
				sum := got[kind]
				got[kind] = figures{sum.addresses + n.addresses, sum.usable + n.usable, sum.resident + n.resident, sum.mappings + n.mappings}
			}
			calls += valueOf(x, sample, Calls)
			mapped += valueOf(x, sample, Mapped)
			unmapped += valueOf(x, sample, Unmapped)
			if len(sample.Label["process"]) != 1 {
				t.Errorf("labels %v", sample.Label)
			}
		}
		report := s.Report(analysis.ReportOptions{})
		differ(t, "pprof", got, reported(report))
		if c, m, u := callsUpTo(t, log, s.Seq); calls != c || mapped != m || unmapped != u {
			t.Errorf("%d calls mapped %d and unmapped %d, the log has %d, %d, %d", calls, mapped, unmapped, c, m, u)
		}
		for i, m := range x.Mapping {
			if exe := report.Processes; i == 0 && len(exe) > 0 && m.File != exe[0].Exe && hasModule(x, exe[0].Exe) {
				t.Errorf("the first mapping is %s, the program %s", m.File, exe[0].Exe)
			}
		}
	})
}

func hasModule(x *profile.Profile, path string) bool {
	for _, m := range x.Mapping {
		if m.File == path {
			return true
		}
	}
	return false
}

// TestPprofStacks: frames, files, lines, inlined calls and build ids are those of the log.
func TestPprofStacks(t *testing.T) {
	const log = "../report/testdata/case.jsonl"
	s := stateOf(t, log, analysis.Moment{})
	x := parsed(t, profileOf(t, log, analysis.Moment{}, false))
	seen := map[string]bool{}
	for _, sample := range x.Sample {
		var b strings.Builder
		for _, l := range sample.Location {
			if len(l.Line) == 0 {
				b.WriteString(filepath.Base(l.Mapping.File) + "+0x" + strconv.FormatUint(l.Address, 16) + "\n")
			}
			for _, line := range l.Line {
				b.WriteString(line.Function.Name + " " + line.Function.Filename + " " + strconv.FormatInt(line.Line, 10))
				if l.Mapping != nil {
					b.WriteString(" " + l.Mapping.File + " " + l.Mapping.BuildID)
				}
				b.WriteByte('\n')
			}
		}
		seen[b.String()] = true
	}
	n := 0
	for _, held := range s.Held {
		for i := range held {
			if held[i].Stack == 0 {
				continue
			}
			frames, _ := s.Frames(held[i].Stack)
			var b strings.Builder
			for i := range frames {
				f := &frames[i]
				b.WriteString(f.Label())
				if f.Function != "" {
					b.WriteString(" " + f.File + " " + strconv.Itoa(f.Line) + " " + f.Module + " " + f.BuildID())
				}
				b.WriteByte('\n')
			}
			if n++; !seen[b.String()] {
				t.Errorf("no sample has the stack\n%s", b.String())
			}
		}
	}
	if n == 0 {
		t.Error("no stacks")
	}
}

// folded reads folded stacks as flamegraph.pl does: the last word, or the last two, are values.
func folded(t *testing.T, text string, values int) map[string][]int64 {
	t.Helper()
	by := map[string][]int64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		var list []int64
		for range values {
			i := strings.LastIndexByte(line, ' ')
			n, err := strconv.ParseInt(line[i+1:], 10, 64)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			list, line = append([]int64{n}, list...), line[:i]
		}
		if by[line] != nil {
			t.Errorf("%q stands there twice", line)
		}
		by[line] = list
	}
	return by
}

// TestFoldedFigures: every value of folded stacks adds up to the report, all together and by kind.
func TestFoldedFigures(t *testing.T) {
	eachLog(t, func(t *testing.T, log string, at analysis.Moment) {
		s := stateOf(t, log, at)
		p := profileOf(t, log, at, false)
		got := map[string]figures{}
		var calls, mapped, unmapped int64
		for v, into := range map[Value]func(n *figures) *int64{
			Addresses: func(n *figures) *int64 { return &n.addresses }, Usable: func(n *figures) *int64 { return &n.usable },
			Resident: func(n *figures) *int64 { return &n.resident }, Mappings: func(n *figures) *int64 { return &n.mappings },
			Calls: func(*figures) *int64 { return &calls }, Mapped: func(*figures) *int64 { return &mapped }, Unmapped: func(*figures) *int64 { return &unmapped },
		} {
			var b strings.Builder
			if err := p.WriteFolded(&b, v); err != nil {
				t.Fatal(err)
			}
			for stack, n := range folded(t, b.String(), 1) {
				calls := strings.Split(stack, ";")
				kind := strings.Trim(calls[len(calls)-1], "[]")
				sum := got[kind]
				*into(&sum) += n[0]
				if v <= Mappings {
					got[kind] = sum
					all := got[""]
					*into(&all) += n[0]
					got[""] = all
				}
			}
		}
		differ(t, "folded", got, reported(s.Report(analysis.ReportOptions{})))
		if c, m, u := callsUpTo(t, log, s.Seq); calls != c || mapped != m || unmapped != u {
			t.Errorf("%d calls mapped %d and unmapped %d, the log has %d, %d, %d", calls, mapped, unmapped, c, m, u)
		}
	})
}

// TestFoldedNames: what stands between calls is in no name.
func TestFoldedNames(t *testing.T) {
	s := sample{origin: origin{process: "1 a;b", kind: "k"}, words: "x\ny"}
	if got := s.folded(); got != "1 a:b;x y;[k]" {
		t.Errorf("%q", got)
	}
}

// TestDifference: of two moments of every pair of logs, pprof's values and folded stacks differ by kind as diff says.
func TestDifference(t *testing.T) {
	logs := testenv.Files(t, "../report/testdata/*.jsonl")
	for _, a := range logs {
		for _, b := range logs {
			before, after := stateOf(t, a, analysis.Moment{}), stateOf(t, b, analysis.Moment{})
			d := analysis.Compare(before, after, [2]string{a, b})
			want := int64(0)
			for i := range d.Processes {
				want += d.Processes[i].Difference
			}
			p := profileOf(t, b, analysis.Moment{}, true).Minus(profileOf(t, a, analysis.Moment{}, true))
			byKind := map[string]int64{}
			was, is := reported(before.Report(analysis.ReportOptions{})), reported(after.Report(analysis.ReportOptions{}))
			sum := int64(0)
			x := parsed(t, p)
			for _, s := range x.Sample {
				sum += valueOf(x, s, Addresses)
				for _, kind := range s.Label["kind"] {
					byKind[kind] += valueOf(x, s, Addresses)
				}
			}
			if sum != want {
				t.Errorf("%s %s: pprof has a difference of %d, diff of %d", a, b, sum, want)
			}
			for kind := range byKind {
				if w := is[kind].addresses - was[kind].addresses; byKind[kind] != w {
					t.Errorf("%s %s: %s: pprof has a difference of %d, the reports of %d", a, b, kind, byKind[kind], w)
				}
			}
			var text strings.Builder
			if err := p.WriteFolded(&text, Addresses); err != nil {
				t.Fatal(err)
			}
			var two [2]int64
			for _, n := range folded(t, text.String(), 2) {
				two[0] += n[0]
				two[1] += n[1]
			}
			if two != [2]int64{was[""].addresses, is[""].addresses} {
				t.Errorf("%s %s: folded %v, the reports %d and %d", a, b, two, was[""].addresses, is[""].addresses)
			}
			if a == b && sum != 0 {
				t.Errorf("%s differs from itself by %d", a, sum)
			}
		}
	}
}

// TestSpeedscope: files fit speedscope's schema, and each profile adds up to the report of its process.
func TestSpeedscope(t *testing.T) {
	text, err := os.ReadFile("testdata/speedscope.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("speedscope.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("speedscope.json")
	if err != nil {
		t.Fatal(err)
	}
	eachLog(t, func(t *testing.T, log string, at analysis.Moment) {
		var b bytes.Buffer
		if err := profileOf(t, log, at, false).WriteSpeedscope(&b, "vmblame"); err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(doc); err != nil {
			t.Error(err)
		}
		var f speedscopeFile
		if err := json.Unmarshal(b.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		got := map[string]int64{}
		for _, p := range f.Profiles {
			_, value, _ := strings.Cut(p.Name, ": ")
			sum := int64(0)
			for i, w := range p.Weights {
				sum += w
				for _, id := range p.Samples[i] {
					if f.Shared.Frames[id].Name == "" {
						t.Error("a frame without a name")
					}
				}
			}
			if p.End != sum || p.Start != 0 || len(p.Samples) != len(p.Weights) {
				t.Errorf("%s ends at %d, the weights are %d", p.Name, p.End, sum)
			}
			got[value] += sum
		}
		want := reported(stateOf(t, log, at).Report(analysis.ReportOptions{}))[""]
		if (figures{got["addresses"], got["usable"], got["resident"], got["mappings"]}) != want {
			t.Errorf("%v, the report says %+v", got, want)
		}
	})
}
