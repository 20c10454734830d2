package analysis

import (
	"fmt"
	"slices"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// TestAdvicePoints: of many calls those that follow each other closely are one point, which has the stack of the call that moved
// most; what stands apart stays apart, and nothing is lost.
func TestAdvicePoints(t *testing.T) {
	p := advicePoints{}
	put := func(at int64, stack int, before, left int64) {
		p.put(&eventlog.Advice{T: at, Space: 1, Call: "madvise", Stack: &stack, Before: &before, Left: &left,
			Args: eventlog.Args{{Name: "addr", Value: 0x10000}, {Name: "length", Value: 8192}, {Name: "advice", Value: 4}}})
	}
	put(0, 1, 4096, 0)
	for i := range int64(1000) {
		put(1_000_000+i, 2, 8192, 0)
	}
	put(1_000_500, 3, 1<<20, 0) // a return that came late
	put(9_000_000, 4, 0, 4096)
	list := p.list()
	if len(list) != mostPoints {
		t.Fatalf("%d points, want %d", len(list), mostPoints)
	}
	if x := list[0]; x.Stack != 1 || x.Times != 1 || *x.GaveBack != 4096 {
		t.Errorf("the first, which stands apart: %+v", x)
	}
	if x := list[len(list)-1]; x.Stack != 4 || x.Times != 1 || *x.Brought != 4096 {
		t.Errorf("the last, which stands apart: %+v", x)
	}
	times, gave := 0, int64(0)
	for _, x := range list {
		times += x.Times
		gave += *x.GaveBack
	}
	if want := int64(4096 + 1000*8192 + 1<<20); times != 1003 || gave != want {
		t.Errorf("%d calls that gave back %d, want 1003 and %d", times, gave, want)
	}
	if !slices.ContainsFunc(list, func(x AdvicePoint) bool { return x.Stack == 3 && x.Times > 1 }) {
		t.Errorf("no point has the stack of the call that moved most: %v", fmt.Sprint(list))
	}
}
