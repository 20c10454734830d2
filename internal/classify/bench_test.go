package classify

import (
	"slices"
	"testing"

	"github.com/vmblame/vmblame/internal/ledger"
)

// BenchmarkClassify has as many entries as vm.max_map_count allows, and a thread for every sixteenth.
func BenchmarkClassify(b *testing.B) {
	for _, name := range []string{"node", "java", "jemalloc-prefixed", "rust"} {
		b.Run(name, func(b *testing.B) {
			one := readCase(b, "testdata/"+name+".jsonl").space(b)
			s := *one
			s.Entries, s.Threads, s.AnonName = nil, nil, nil
			const most, far = 65530, 1 << 36
			for k := uint64(0); len(s.Entries) < most; k++ {
				for _, e := range one.Entries {
					e.Start, e.End = e.Start+k*far, e.End+k*far
					s.Entries = append(s.Entries, e)
				}
			}
			slices.SortFunc(s.Entries, func(a, b ledger.Entry) int {
				if a.Start < b.Start {
					return -1
				}
				return 1
			})
			for i := 0; i < len(s.Entries); i += 16 {
				s.Threads = append(s.Threads, Thread{TID: 1000 + i, PID: 1000, SP: s.Entries[i].End - 64, Start: int64(i)})
			}
			b.ReportAllocs()
			for b.Loop() {
				if len(Known().Classify(&s)) != len(s.Entries) {
					b.Fatal("not all")
				}
			}
			b.ReportMetric(float64(len(s.Entries)), "entries")
		})
	}
}
