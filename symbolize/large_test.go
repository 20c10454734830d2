package symbolize

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

// TestFuelOfLargeFiles expects that all units of a large file can be read for one batch of addresses, and that no
// small file makes much work by what it claims to be.
func TestFuelOfLargeFiles(t *testing.T) {
	if n := fuelFor(2<<30, 2<<30); n < 2<<30 {
		t.Errorf("%d for a large file", n)
	}
	if n := fuelFor(2<<30, 300<<20); n < 2<<30 {
		t.Errorf("%d for a large file that is compressed", n)
	}
	if n := fuelFor(8<<30, 1<<20); n > fuelPerBatch+16<<20 {
		t.Errorf("%d for a small file", n)
	}
}

// TestSymbolsAreReadLate expects that addresses which debugging information names whole cost no symbol table,
// and that what .dynsym says again is not kept twice.
func TestSymbolsAreReadLate(t *testing.T) {
	f := open(t, build(t, "shapes.cc", "-g", "-O1", "-rdynamic"))
	m := openImage(f, nil, nowhere(t), &servers{})
	defer m.close()
	symbols := m.sources[len(m.sources)-1].(*elfSymbols)
	qs := make([]query, 0, 100)
	for _, fn := range functionsOf(t, f.Name()) {
		if fn.name == "main" {
			qs = append(qs, query{addr: fn.lo})
		}
	}
	for _, s := range m.sources[:len(m.sources)-1] {
		s.answer(qs)
	}
	if len(qs) != 2 || !qs[0].named() || symbols.read {
		t.Fatalf("%d symbols of main; the table is read: %v", len(qs), symbols.read)
	}
	symbols.load()
	if len(symbols.tables) < 2 || symbols.tables[1].source != "dynsym" {
		t.Fatal("there is no .dynsym")
	}
	for _, e := range symbols.entries {
		if symbols.tables[e.table].source == "dynsym" {
			t.Fatalf("%s is kept twice", symbols.name(&e))
		}
	}
}
