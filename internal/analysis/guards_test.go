package analysis

import (
	"fmt"
	"testing"
)

// TestGuards: guard regions inside an accessible mapping are not committed, until they are removed or the pages go.
func TestGuards(t *testing.T) {
	const at, mib = 0x7f0000000000, 1 << 20
	advise := func(seq, start, length, advice int) string {
		return fmt.Sprintf(`{"type":"event","seq":%d,"t":%d,"space":1,"pid":10,"tid":10,"call":"madvise","args":{"addr":"%#x","length":%d,"advice":%d},"result":0,"stack":null,"changes":[]}`,
			seq, 10000*seq, start, length, advice)
	}
	lines := []string{
		mapLine(1, at, at+20*mib),
		advise(2, at, 10*mib, adviseGuard),
		advise(3, at+5*mib, 5*mib, adviseUnguard),
		advise(4, at+19*mib, mib, adviseGuard),
		unmapLine(5, at, at+20*mib, 1),
		mapLine(6, at, at+20*mib),
	}
	for n, want := range []int64{20, 10, 15, 14, 0, 20} {
		s, err := Load(textLog(lines[:n+1]...), Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.processes[0].total().committed; got != want*mib+4096 {
			t.Errorf("after %d events %d KiB are committed, want %d MiB and the page of code", n+1, got>>10, want)
		}
	}
}
