package analysis

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
)

// An AdvicePoint is the effect of one call of madvise(2), or of several in close succession. Of several, Advice and
// Stack are those of the call that moved the most.
type AdvicePoint struct {
	Advised
	Space int
	Stack int   // 0 for none
	moved int64 // by the call whose stack it is
}

// mostPoints is the largest number of points in an answer for one space: a chart has no room for more.
const mostPoints = 100

// advicePoints collects the points of each space, in order of time.
type advicePoints map[int][]AdvicePoint

func (p advicePoints) put(r *eventlog.Advice) {
	x := AdvicePoint{Advised: *newAdvised(r), Space: r.Space}
	if r.Stack != nil {
		x.Stack = *r.Stack
	}
	x.count(r)
	if x.moved = x.Bytes; x.GaveBack != nil {
		x.moved = *x.GaveBack + *x.Brought
	}
	list := append(p[r.Space], x)
	if len(list) >= 2*mostPoints {
		list = join(list, mostPoints)
	}
	p[r.Space] = list
}

// join merges neighbours, those with the least time between them first, until n are left.
func join(list []AdvicePoint, n int) []AdvicePoint {
	if len(list) <= n {
		return list
	}
	after := make([]int, len(list)-1) // places of points, those that followed most closely first
	for i := range after {
		after[i] = i + 1
	}
	slices.SortStableFunc(after, func(a, b int) int {
		return cmp.Compare(list[a].First-list[a-1].Last, list[b].First-list[b-1].Last)
	})
	joined := map[int]bool{}
	for _, i := range after[:len(list)-n] {
		joined[i] = true
	}
	kept := list[:0]
	for i, x := range list {
		if !joined[i] {
			kept = append(kept, x)
			continue
		}
		last := &kept[len(kept)-1]
		last.add(&x.Advised)
		if x.moved > last.moved {
			last.Advice, last.Stack, last.moved = x.Advice, x.Stack, x.moved
		}
	}
	return kept
}

// list returns the points of all spaces, ordered by space and time.
func (p advicePoints) list() []AdvicePoint {
	var all []AdvicePoint
	for _, list := range p {
		all = append(all, join(list, mostPoints)...)
	}
	slices.SortStableFunc(all, func(a, b AdvicePoint) int {
		return cmp.Or(cmp.Compare(a.Space, b.Space), cmp.Compare(a.First, b.First))
	})
	return all
}

// NameAdvice says who gave the advice of a point, in a process that runs exe.
func (s *State) NameAdvice(x *AdvicePoint, exe string) {
	x.Who = s.made(ledger.FromEvent, "madvise", x.Stack, exe)
	x.Where = s.where(x.Stack, x.Who)
}
