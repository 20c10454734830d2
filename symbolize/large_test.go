package symbolize

import (
	"slices"
	"testing"
)

// TestSymbolsAreReadLate expects that addresses which debugging information names whole cost no symbol table,
// and that what .dynsym says again is not kept twice.
func TestSymbolsAreReadLate(t *testing.T) {
	f := open(t, build(t, "shapes.cc", append(slices.Clone(other), "-rdynamic")...))
	m := openImage(f, nil, nowhere(t), &servers{})
	defer m.close()
	symbols := m.sources[len(m.sources)-1].(*elfSymbols)
	qs := make([]query, 0, 100)
	for _, fn := range symbolsOf(t, f.Name()).Functions {
		if fn.Name == "main" {
			qs = append(qs, query{addr: fn.Start})
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
