package text

import "testing"

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 512: "512 B", 4096: "4 KiB", 1<<20 - 1: "1023 KiB", 1 << 20: "1.0 MiB", 67108864: "64.0 MiB",
		1<<30 - 1: "1.0 GiB", 1 << 30: "1.0 GiB", 1 << 40: "1.0 TiB", 1 << 50: "1024.0 TiB",
	} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %q, want %q", n, got, want)
		}
	}
	if got := (Style{}).Change(-1 << 20); got != "-1.0 MiB" {
		t.Errorf("a change: %q", got)
	}
	if got := (Style{Bytes: true}).Change(4096); got != "+4096" {
		t.Errorf("a change in bytes: %q", got)
	}
	if got := (Style{}).Measured(nil); got != "?" {
		t.Errorf("not measured: %q", got)
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		part, whole int64
		want        string
	}{
		{0, 0, "100.0 %"}, {0, 10, "0.0 %"}, {1, 3, "33.3 %"}, {10, 10, "100.0 %"}, {1<<40 - 4096, 1 << 40, "99.9 %"},
	} {
		if got := Percent(c.part, c.whole); got != c.want {
			t.Errorf("Percent(%d, %d) = %q, want %q", c.part, c.whole, got, c.want)
		}
	}
}
