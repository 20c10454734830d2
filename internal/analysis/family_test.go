package analysis

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
)

// zoo is an allocator that nobody has written. Everything about it stands here.
var zoo = classify.Family{
	Kinds: []classify.Row{
		{Kind: "zoo", Words: classify.Words{One: "zoo pen", Many: "zoo pens"}, MadeBy: "first animal in", Settings: classify.Settings{{Name: "ZOO_PENS", Hint: true}, {Name: "-Xpens", Where: classify.JavaOption}},
			Advise: func(u *classify.Usage) (int64, string) {
				return u.Reserved, fmt.Sprintf("ZOO_PENS=1 would spare most of %s in %s", u.Size(u.Reserved), u.Row.Words.Count(len(u.Things)))
			}},
		{Kind: "zoo-own", Words: classify.Words{One: "zoo fence", Many: "zoo fences"}, Advise: func(*classify.Usage) (int64, string) { return 0, "" }},
	},
	Caller: callers.Allocator{Functions: []string{"zoo_*"}, Pages: []string{"zoo_pages"}}, Calls: []string{"zoo_pages"}, Own: []string{"zoo_fence"},
}

// zooLog is a log of n pens and a fence, in an environment with that value of ZOO_PENS.
func zooLog(n int, pens string) Open { return zooLogOf(n, pens, `"x"`) }

// zooLogOf is zooLog of a program with those arguments.
func zooLogOf(n int, pens, argv string) Open {
	frame := func(offset int) string {
		return fmt.Sprintf(`{"pc":"%#x","module":1,"offset":"%#x","via":"cfi"}`, 0x400000+offset, offset)
	}
	lines := []string{`{"type":"module","module":1,"path":"/bin/x","build_id":null,"dev":"fe:00","inode":9}`}
	for i, f := range []string{"zoo_pages", "zoo_fence", "zoo_alloc", "load_lions", "main"} {
		lines = append(lines, fmt.Sprintf(`{"type":"symbol","module":1,"offset":"%#x","frames":[{"function":%q,"start":"%#x","inlined":false}],"source":"symtab"}`, 16*i, f, 16*i))
	}
	lines = append(lines,
		`{"type":"stack","stack":1,"frames":[`+strings.Join([]string{frame(0), frame(32), frame(48), frame(64)}, ",")+`],"complete":true,"end":"undefined-ra"}`,
		`{"type":"stack","stack":2,"frames":[`+strings.Join([]string{frame(0), frame(16), frame(32), frame(48), frame(64)}, ",")+`],"complete":true,"end":"undefined-ra"}`)
	for i := range n + 1 {
		at, stack := 0x7f0000000000+uint64(i)<<28, `"stack":1`
		if i == n {
			stack = `"stack":2`
		}
		lines = append(lines, strings.Replace(mapLine(i+1, at, at+64<<20), `"stack":null`, stack, 1))
	}
	return textLogOf(argv, `{"ZOO_PENS":`+pens+`}`, lines...)
}

// TestNewFamily: who adds an allocator writes one value; report, comparison, hints and what is recorded of the
// environment know it then.
func TestNewFamily(t *testing.T) {
	known := classify.Known().With(zoo)
	if !slices.Contains(known.Variables(), "ZOO_PENS") || slices.Contains(classify.Known().Variables(), "ZOO_PENS") {
		t.Error("its variable is not recorded, or that of others is")
	}
	side := func(n int, pens string) *State {
		s, err := load(zooLog(n, pens), Moment{}, nil, nil, known)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	few, many := side(1, `"1"`), side(3, "null")
	words := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	report, diff := many.Report(ReportOptions{}), Compare(few, many, [2]string{"few", "many"})
	for _, c := range []struct{ in, want string }{
		{words(report), `"label":"3 zoo pens"`}, {words(report), `"label":"zoo fence`}, {words(report), `"who":["zoo_alloc","load_lions","main"]`},
		{words(report.Processes[0].Advice), "ZOO_PENS=1 would spare most of 192.0 MiB in 3 zoo pens"},
		{words(diff), `"label":"zoo pen"`}, {words(diff.Processes[0].Because), "first animal in"}, {words(diff.Processes[0].Because), `"zoo_alloc","load_lions"`},
		{words(diff.Processes[0].Because), "ZOO_PENS"},
	} {
		if !strings.Contains(c.in, c.want) {
			t.Errorf("%q is missing in\n%s", c.want, c.in)
		}
	}
	if a := few.Report(ReportOptions{}).Processes[0].Advice; len(a) != 0 {
		t.Errorf("a hint to who needs none: %+v", a)
	}
}
