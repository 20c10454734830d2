package record

import "testing"

func TestErrnoOf(t *testing.T) {
	for result, want := range map[int64]int{0: 0, -1: 1, -12: 12, -4095: 4095, -4096: 0, 0x7f0000000000: 0} {
		if got := errnoOf(result); int(got) != want {
			t.Errorf("%d: errno %d, want %d", result, got, want)
		}
	}
}
