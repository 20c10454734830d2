package analysis

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
)

// mirrored is d as it is when its sides are asked for the other way round.
func mirrored(d *Diff) *Diff {
	m := *d
	m.Before, m.After = d.After, d.Before
	turned := func(list []Setting) []Setting {
		m := make([]Setting, len(list))
		for i, s := range list {
			m[i] = Setting{s.Name, s.After, s.Before, s.UnknownAfter, s.UnknownBefore}
		}
		return m
	}
	m.Environment, m.Unrecorded = turned(d.Environment), turned(d.Unrecorded)
	m.Processes = make([]Pair, len(d.Processes))
	side := map[string]string{"before": "after", "after": "before"}
	for i, p := range d.Processes {
		q := p
		q.ArgvBefore, q.ArgvAfter = p.ArgvAfter, p.ArgvBefore
		q.NameBefore, q.NameAfter = p.NameAfter, p.NameBefore
		q.PIDBefore, q.PIDAfter, q.ExeBefore, q.ExeAfter, q.Before, q.After, q.Difference = p.PIDAfter, p.PIDBefore, p.ExeAfter, p.ExeBefore, p.After, p.Before, -p.Difference
		q.Kinds = mirroredChanges(p.Kinds)
		if b := p.Because; b != nil {
			q.Because = &Because{mirroredChanges([]Change{b.Change})[0], side[b.More], b.Setting, side[b.SetBy], b.Value}
		}
		m.Processes[i] = q
	}
	return &m
}

func mirroredChanges(list []Change) []Change {
	if list == nil {
		return nil
	}
	m := make([]Change, len(list))
	for i, c := range list {
		m[i] = c
		m[i].Before, m[i].After, m[i].Difference, m[i].Parts = c.After, c.Before, -c.Difference, mirroredChanges(c.Parts)
	}
	return m
}

// TestDiffTurned: diff(A,B) is diff(B,A) with the signs turned, of any two logs and moments.
func TestDiffTurned(t *testing.T) {
	logs := testenv.Files(t, "../report/testdata/*.jsonl")
	var states []*State
	for _, log := range logs {
		for _, at := range []Moment{{}, {Kind: AtStart}, {Kind: AtPeak}} {
			states = append(states, state(t, log, at))
		}
	}
	for _, pens := range []string{`"1"`, "null"} {
		s, err := Load(zooLog(2, pens), Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, s)
	}
	for i, a := range states {
		for j, b := range states {
			one, two := Compare(a, b, [2]string{"a", "b"}), mirrored(Compare(b, a, [2]string{"b", "a"}))
			x, _ := json.Marshal(one)
			y, _ := json.Marshal(two)
			if string(x) != string(y) {
				t.Errorf("%d and %d:\n%s\n%s", i, j, x, y)
			}
		}
	}
}

// TestMatch: processes pair by pid and program, then by program, then by pid, then as they come.
func TestMatch(t *testing.T) {
	side := func(first string, others ...string) (list []*process) {
		lines := []string{}
		for i, o := range append([]string{first}, others...) {
			pid, exe, _ := strings.Cut(o, " ")
			lines = append(lines, strings.NewReplacer(`"space":2`, fmt.Sprintf(`"space":%d`, i+2), `"pid":11`, `"pid":`+pid, "/bin/x\",\"argv", "/bin/"+exe+"\",\"argv", `"after":1`, `"after":0`).Replace(forkLine))
		}
		s, err := Load(textLog(lines...), Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s.processes[1:]
	}
	before, after := side("11 a", "12 b", "13 c", "14 d", "15 e"), side("12 a", "20 b", "13 f", "30 g")
	var got []string
	for _, m := range match(before, after) {
		words := [2]string{"none", "none"}
		for i, p := range m {
			if p != nil {
				words[i] = fmt.Sprint(p.PID, strings.TrimPrefix(p.Exe, "/bin/"))
			}
		}
		got = append(got, words[0]+"|"+words[1])
	}
	if got := strings.Join(got, " "); got != "11a|12a 12b|20b 13c|13f 14d|30g 15e|none" {
		t.Error(got)
	}
}

// jitLog is a log of n mappings that code at that address made, which is in no file.
func jitLog(n int, at uint64) Open {
	lines := []string{`{"type":"module","module":1,"path":"/bin/x","build_id":null,"dev":"fe:00","inode":9}`, `{"type":"module","module":2,"path":"[anon]","build_id":null,"dev":"00:00","inode":0}`,
		`{"type":"symbol","module":1,"offset":"0x10","frames":[{"function":"map_one","start":"0x10","inlined":false}],"source":"symtab"}`,
		`{"type":"symbol","module":1,"offset":"0x20","frames":[{"function":"main","start":"0x20","inlined":false}],"source":"symtab"}`,
		fmt.Sprintf(`{"type":"stack","stack":1,"frames":[{"pc":"0x400010","module":1,"offset":"0x10","via":"pc"},{"pc":"%#x","module":2,"offset":"%#x","via":"fp"},{"pc":"0x400020","module":1,"offset":"0x20","via":"fp"}],"complete":true,"end":"undefined-ra"}`, at, at)}
	for i := range n {
		x := 0x7f0000000000 + uint64(i)<<28
		lines = append(lines, strings.Replace(mapLine(i+1, x, x+64<<20), `"stack":null`, `"stack":1`, 1))
	}
	return textLog(lines...)
}

// TestDiffJIT: code that was made at run time is the same wherever it lies.
func TestDiffJIT(t *testing.T) {
	var side [2]*State
	for i, at := range []uint64{0x7fa000000005, 0x7fb000000005} {
		s, err := Load(jitLog(21, at), Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		side[i] = s
	}
	d := Compare(side[0], side[1], [2]string{"a", "b"})
	for _, k := range d.Processes[0].Kinds {
		for _, c := range k.Parts {
			if c.Differs() || strings.Contains(c.Text(0), "0x7f") {
				t.Errorf("%+v", c)
			}
		}
	}
}

// TestDiffCommand: command lines that differ are a difference, and one of their options is why where it governs the kind.
func TestDiffCommand(t *testing.T) {
	side := func(n int, argv string) *State {
		s, err := load(zooLogOf(n, "null", argv), Moment{}, nil, nil, classify.Known().With(zoo))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	few := side(1, `"x","-Xpens1","a"`)
	for argv, want := range map[string]string{`"x","-Xpens3","a"`: "-Xpens 1", `"x","a"`: "-Xpens 1", `"x","-Xpens1","b"`: "", `"x","-Xpens1","a"`: ""} {
		p := Compare(few, side(3, argv), [2]string{"few", "many"}).Processes[0]
		got := ""
		if b := p.Because; b != nil {
			got = b.Setting + " " + b.Value
			if b.More != "after" || b.SetBy != "before" {
				t.Errorf("%s: %+v", argv, b)
			}
		}
		if same := argv == `"x","-Xpens1","a"`; got != want || (len(p.ArgvBefore) == 0) != same || (len(p.ArgvAfter) == 0) != same {
			t.Errorf("%s: because %q, want %q; %v | %v", argv, got, want, p.ArgvBefore, p.ArgvAfter)
		}
	}
	if p := Compare(few, side(1, `"x","b"`), [2]string{"a", "b"}).Processes[0]; p.Same {
		t.Error("programs with other arguments are the same")
	}
}
