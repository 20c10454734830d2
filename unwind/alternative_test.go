package unwind

import (
	"testing"

	"golang.org/x/arch/x86/x86asm"
)

// BenchmarkAlternativeDecode decodes the instructions of a static C program by our decoder and by x/arch's. It reports
// how many of 10,000 each gets wrong, by objdump's lengths, and how many it does not know.
func BenchmarkAlternativeDecode(b *testing.B) {
	var list [][]byte
	var lengths []int
	for _, code := range instructions(b, compile(b, "deep.c", "-O2", "-static")) {
		list = append(list, append(code, make([]byte, maxLength)...)[:maxLength])
		lengths = append(lengths, len(code))
	}
	for _, c := range []struct {
		name   string
		decode func(code []byte) (length int, ok bool)
	}{
		{"unwind", func(code []byte) (int, bool) { x, ok := decode(code); return x.length, ok }},
		{"x86asm", func(code []byte) (int, bool) { x, err := x86asm.Decode(code, 64); return x.Len, err == nil }},
	} {
		b.Run(c.name, func(b *testing.B) {
			wrong, unknown := 0, 0
			for i, code := range list {
				switch n, ok := c.decode(code); {
				case !ok:
					unknown++
				case n != lengths[i]:
					wrong++
				}
			}
			for i := 0; b.Loop(); i++ {
				c.decode(list[i%len(list)])
			}
			b.ReportMetric(float64(wrong)*1e4/float64(len(list)), "wrong/10k")
			b.ReportMetric(float64(unknown)*1e4/float64(len(list)), "unknown/10k")
		})
	}
}
