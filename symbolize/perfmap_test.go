package symbolize

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestPerfMap(t *testing.T) {
	want := map[uint64]string{
		0x7f0010000000: "LazyCompile:~add /app/a.js:3:7", 0x7f001000001f: "LazyCompile:~add /app/a.js:3:7",
		0x7f0010000020: "", 0x7f001000002f: "", // two functions have stood there
		0x7f0010000030: "LazyCompile:~add /app/a.js:3:7", 0x7f0010000040: "jit::stubs::call()",
		0x7f0010000060: "", 0x7f000fffffff: "", 0x7f0010009000: "", 0x7f0010010000: "", 0x7f0010020000: "after",
		0x7f0010030000: "", 0xffffffffffffff80: "",
	}
	got := make(map[uint64]string)
	err := ResolvePerfMap(strings.NewReader("7f0010000000 40 LazyCompile:~add /app/a.js:3:7\n"+
		"0x7f0010000040 0x20 _ZN3jit5stubs4callEv\n"+
		"7f0010000020 10 Function:*newer\n"+ // lies in the first
		"7f0010000030 10 LazyCompile:~add /app/a.js:3:7\n"+ // the same function, told again
		"not hex\n7f0010009000 0 empty\n7f0010009000 10 \n7f0010009000 10\nffffffffffffff00 200 wraps\n"+
		"7f0010010000 10 "+strings.Repeat("x", 2*maxPerfLine)+"\n"+
		"7f0010020000 10 after\n7f0010030000 10 cut"), slices.Collect(maps.Keys(want)), func(a uint64, s Symbol) {
		if _, twice := got[a]; twice || len(s.Frames) != 1 || s.Source != "perfmap" {
			t.Errorf("%#x: %+v", a, s)
		}
		got[a] = s.Frames[0].Function
	})
	if err != nil {
		t.Fatal(err)
	}
	for addr, name := range want {
		if got[addr] != name {
			t.Errorf("%#x: %q, want %q", addr, got[addr], name)
		}
	}
}
