package unwind

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// TestWindow reads words in the order of a walk and checks values, and that no page is read twice.
func TestWindow(t *testing.T) {
	const size = 1 << 20
	const base = testStack &^ (pageSize - 1)
	b := make([]byte, size)
	for i := 0; i < size; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], base+uint64(i))
	}
	for _, first := range []uint64{0, 8, 4088, 2048} {
		x := &fixed{memory: map[uint64][]byte{base: b}, touched: map[uint64]int{}}
		var w window
		w.reset(x, base+first, 0)
		r := rand.New(rand.NewPCG(1, first))
		for at := first; at < size; at += 8 * (1 + r.Uint64N(40)) {
			if v, ok := w.u64(base + at); !ok || v != base+at {
				t.Fatalf("at %#x: %#x, %v", at, v, ok)
			}
		}
		if _, ok := w.u64(base + size); ok {
			t.Error("read behind the end")
		}
		for page, n := range x.touched {
			if n > 1 {
				t.Errorf("from %#x: page %#x read %d times", first, page-base/pageSize, n)
			}
		}
		if len(x.touched) < size/pageSize {
			t.Errorf("%d pages read", len(x.touched))
		}
	}
	t.Run("far apart", func(t *testing.T) {
		x := &fixed{memory: map[uint64][]byte{base: b}, touched: map[uint64]int{}}
		var w window
		w.reset(x, base, 0)
		for _, at := range []uint64{0, 0x80000, 8, 0x80008, 0x40000, 0x7fff8, 0x40008, 0xffff8, 0x80010} {
			if v, ok := w.u64(base + at); !ok || v != base+at {
				t.Fatalf("at %#x: %#x, %v", at, v, ok)
			}
		}
		for page, n := range x.touched {
			if n > 1 {
				t.Errorf("page %#x read %d times", page-base/pageSize, n)
			}
		}
		if len(x.touched) > 40 {
			t.Errorf("%d pages read for 5 places", len(x.touched))
		}
	})
	t.Run("unaligned and across spans", func(t *testing.T) {
		x := &fixed{memory: map[uint64][]byte{base: b}}
		var w window
		w.reset(x, base, 0)
		for _, at := range []uint64{1, 4093, 8189, 12285, maxSpan - 3, maxSpan + 5} {
			want := binary.LittleEndian.Uint64(b[at:])
			if v, ok := w.u64(base + at); !ok || v != want {
				t.Errorf("at %#x: %#x, %v, want %#x", at, v, ok, want)
			}
		}
		for _, at := range []uint64{^uint64(0), ^uint64(0) - 7, 0, base - 8, base + size - 4} {
			if _, ok := w.u64(at); ok {
				t.Errorf("read at %#x", at)
			}
		}
	})
}

// TestWindowKnowsTheEnd asks again and again for what cannot be read.
func TestWindowKnowsTheEnd(t *testing.T) {
	x := &fixed{memory: map[uint64][]byte{testStack: words(1, 2, 3)}, touched: map[uint64]int{}}
	var w window
	w.reset(x, testStack, 0)
	for range 10 {
		if v, ok := w.u64(testStack + 16); !ok || v != 3 {
			t.Fatalf("%d, %v", v, ok)
		}
		if _, ok := w.u64(testStack + 24); ok {
			t.Fatal("read behind the end")
		}
	}
	if n := x.touched[testStack/pageSize]; n != 1 {
		t.Errorf("read %d times", n)
	}
}
