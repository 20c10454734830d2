package analysis

import (
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/vm"
)

// deepLog is a log of one mapping that was made below 900 frames of eval, of which two are recorded at either end.
func deepLog() Open {
	frame := func(offset, more string) string {
		return `{"pc":"0x4000` + offset + `","module":1,"offset":"0x` + offset + `","via":"cfi"` + more + `}`
	}
	lines := []string{`{"type":"module","module":1,"path":"/bin/x","build_id":null,"dev":"fe:00","inode":9}`}
	for offset, f := range map[string]string{"10": "grab", "20": "eval", "30": "main"} {
		lines = append(lines, `{"type":"symbol","module":1,"offset":"0x`+offset+`","frames":[{"function":"`+f+`","start":"0x`+offset+`","inlined":false}],"source":"symtab"}`)
	}
	stack := []string{frame("10", ""), frame("20", ""), frame("20", ""), frame("20", `,"omitted":896`), frame("20", ""), frame("30", "")}
	return textLog(append(lines, `{"type":"stack","stack":1,"frames":[`+strings.Join(stack, ",")+`],"complete":true,"end":"undefined-ra"}`,
		strings.Replace(mapLine(1, 0x7f0000000000, 0x7f0000001000), `"stack":null`, `"stack":1`, 1))...)
}

// TestOmitted: a chain and a whole stack say how many frames are between the ends that were recorded.
func TestOmitted(t *testing.T) {
	s, err := Load(deepLog(), Moment{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := s.Blame(Question{Range: vm.Range{Start: 0x7f0000000000, End: 0x7f0000000001}, Frames: true})
	m := b.Processes[0].Mapping
	if got, want := m.Who.Text(0), "grab < eval < eval < (896 frames) < eval < eval < main"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if len(m.Frames) != 7 || m.Frames[3] != (Frame{Omitted: 896}) || m.Frames[4].Function != "eval" {
		t.Errorf("%+v", m.Frames)
	}
	if len(b.Nameless) != 0 {
		t.Errorf("names are wanted of %v", b.Nameless)
	}
}
