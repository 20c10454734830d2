package symbolize

import (
	"strings"
	"testing"
)

func TestPerfMap(t *testing.T) {
	m, err := ReadPerfMap(strings.NewReader("7f0010000000 40 LazyCompile:~add /app/a.js:3:7\n" +
		"0x7f0010000040 0x20 _ZN3jit5stubs4callEv\n" +
		"7f0010000020 10 Function:*newer\n" + // lies in the first
		"not hex\n7f0010009000 0 empty\n7f0010009000 10 \n7f0010009000 10\nffffffffffffff00 200 wraps\n" +
		"7f0010010000 10 " + strings.Repeat("x", 2*maxPerfLine) + "\n" +
		"7f0010020000 10 after\n7f0010030000 10 cut"))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[uint64]string{
		0x7f0010000000: "LazyCompile:~add /app/a.js:3:7", 0x7f001000001f: "LazyCompile:~add /app/a.js:3:7",
		0x7f0010000020: "Function:*newer", 0x7f001000002f: "Function:*newer",
		0x7f0010000030: "LazyCompile:~add /app/a.js:3:7", 0x7f0010000040: "jit::stubs::call()",
		0x7f0010000060: "", 0x7f000fffffff: "", 0x7f0010009000: "", 0x7f0010010000: "", 0x7f0010020000: "after",
		0x7f0010030000: "", 0xffffffffffffff80: "",
	} {
		s, ok := m.Lookup(addr)
		if ok != (want != "") {
			t.Errorf("%#x: named %v", addr, ok)
		} else if ok && (len(s.Frames) != 1 || s.Frames[0].Function != want || s.Source != "perfmap") {
			t.Errorf("%#x: %+v, want %q", addr, s, want)
		}
	}
}
