package debuginfo

import "testing"

// TestSpansJoin expects the ranges of functions that follow each other to take one span for their unit.
func TestSpansJoin(t *testing.T) {
	var s spans
	for i := range uint64(1000) {
		s.add(0x1000+64*i, 0x1000+64*i+50, 7)
	}
	s.add(0x1000, 0x1010, 7)   // before the last one
	s.add(0x90000, 0x90010, 7) // too far on
	s.add(0x90010, 0x90020, 8) // of another unit
	s.sort()
	want := []span{{lo: 0x1000, hi: 0x1000 + 64*999 + 50, ref: 7}, {lo: 0x1000, hi: 0x1010, ref: 7},
		{lo: 0x90000, hi: 0x90010, ref: 7}, {lo: 0x90010, hi: 0x90020, ref: 8}}
	for i, w := range want {
		if i >= len(s) || s[i].lo != w.lo || s[i].hi != w.hi || s[i].ref != w.ref {
			t.Fatalf("%+v, want %+v", s, want)
		}
	}
}

// TestBudgetOfLargeFiles expects that all units of a large file can be read for one batch of addresses, and that no
// small file makes much work by what it claims to be.
func TestBudgetOfLargeFiles(t *testing.T) {
	if n := budgetFor(2<<30, 2<<30); n < 2<<30 {
		t.Errorf("%d for a large file", n)
	}
	if n := budgetFor(2<<30, 300<<20); n < 2<<30 {
		t.Errorf("%d for a large file that is compressed", n)
	}
	if n := budgetFor(8<<30, 1<<20); n > budgetPerBatch+16<<20 {
		t.Errorf("%d for a small file", n)
	}
}
