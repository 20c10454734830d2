package html

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/analysis"
)

// finish completes the value; s is the state at the end.
func (b *builder) finish(s *analysis.State) *Value {
	v := b.v
	for i, to := range v.Ranges.To {
		if to < 0 {
			v.Ranges.To[i] = len(v.Moments)
		}
	}
	v.sortFigures()
	v.dropMakers()
	v.Cut, v.Failed = s.Cut, s.Failed()
	v.unseen(s.Made())
	for i := range v.Failed.Calls {
		b.stack(s, v.Failed.Calls[i].Stack)
	}
	if h := s.Header(); h != nil {
		v.Mode, v.Started, v.Host, v.Advice = h.Mode, h.Started, h.Host, h.Advice
		if h.Command != nil {
			v.Command = h.Command
		}
		if h.Environment != nil {
			v.Environment = h.Environment
		}
	}
	return v
}

// dropMakers removes the makers whose ranges are shown at no moment.
func (v *Value) dropMakers() {
	m := &v.Makers
	places := map[int]int{}
	var kept []int
	for i, old := range v.Ranges.Maker {
		n, known := places[old]
		if !known {
			n = len(kept)
			places[old] = n
			kept = append(kept, old)
		}
		v.Ranges.Maker[i] = n
	}
	*m = Makers{pick(m.Origin, kept), pick(m.Cause, kept), pick(m.Call, kept), pick(m.T, kept), pick(m.PID, kept), pick(m.TID, kept), pick(m.Thread, kept), pick(m.Stack, kept), pick(m.Chain, kept)}
}

// unseen counts the calls that mapped something, and those of them whose mappings are in a range. The mappings of the
// others came and went between two moments; each such call is counted for its process and the later of the two moments.
func (v *Value) unseen(made []analysis.Making) {
	shown := map[uint64]bool{}
	for _, m := range v.Ranges.Maker {
		if o := v.Makers.Origin[m]; o != nil {
			shown[*o] = true
		}
	}
	of := map[int]*Process{} // by space
	for i := range v.Processes {
		p := &v.Processes[i]
		p.Unseen = make([]int, len(p.Moments))
		of[p.Space] = p
	}
	v.Made = len(made)
	for _, m := range made {
		if shown[m.Seq] {
			v.Shown++
			continue
		}
		p := of[m.Space]
		if p == nil {
			continue // it came and went itself
		}
		at, _ := slices.BinarySearchFunc(p.Moments, m.Seq, func(at int, seq uint64) int { return cmp.Compare(v.Moments[at].Seq, seq) })
		if at < len(p.Moments) {
			p.Unseen[at]++
		}
	}
}

// sortFigures sorts the figures into the order of their ranges.
func (v *Value) sortFigures() {
	f := &v.Figures
	order := make([]int, len(f.Range))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(f.Range[a], f.Range[b]), cmp.Compare(f.Moment[a], f.Moment[b]))
	})
	*f = Figures{pick(f.Range, order), pick(f.Moment, order), pick(f.Resident, order), pick(f.Uncounted, order), pick(f.PSS, order), pick(f.Private, order), pick(f.Swapped, order)}
}

// pick returns the items of list at these indexes.
func pick[T any](list []T, places []int) []T {
	picked := make([]T, len(places))
	for i, p := range places {
		picked[i] = list[p]
	}
	return picked
}

// thin removes every second moment until there are at most most ranges, or too few moments to go on.
func (b *builder) thin(most int) {
	for b.v.halve(most) {
		b.v.Every = false
	}
}

// halve removes every second moment except the first and the last, and all ranges that exist at none of those left. It
// reports whether it did so: not if there are at most most ranges, or too few moments.
func (v *Value) halve(most int) bool {
	const least = 8 // a picture of fewer moments shows no course
	r, n := &v.Ranges, len(v.Moments)
	if len(r.From) <= most || n <= least {
		return false
	}
	// next is the new number of the first moment that stays, at or behind an old one.
	next := make([]int, n+1)
	var stay []int
	for i := range n {
		next[i] = len(stay)
		if i == 0 || i == n-1 || i%2 == 0 {
			stay = append(stay, i)
		}
	}
	next[n] = len(stay)
	v.Moments = pick(v.Moments, stay)
	for i := range r.From {
		if r.From[i] = next[r.From[i]]; r.To[i] >= 0 {
			r.To[i] = next[r.To[i]]
		}
	}
	places := make([]int, len(r.From)) // new numbers of ranges, -1 for none
	var kept []int
	for i := range r.From {
		if places[i] = -1; r.To[i] < 0 || r.From[i] < r.To[i] {
			places[i] = len(kept)
			kept = append(kept, i)
		}
	}
	*r = Ranges{pick(r.Process, kept), pick(r.Start, kept), pick(r.Pages, kept), pick(r.Offset, kept), pick(r.What, kept), pick(r.Maker, kept), pick(r.From, kept), pick(r.To, kept)}
	v.thinFigures(places, next)
	for i := range v.Processes {
		v.Processes[i].thin(stay, next)
	}
	return true
}

// thinFigures keeps the figures of the moments that are left.
func (v *Value) thinFigures(places, next []int) {
	v.sortFigures()
	f, r := &v.Figures, &v.Ranges
	var kept []int
	for i := range f.Range {
		f.Range[i], f.Moment[i] = places[f.Range[i]], next[f.Moment[i]]
		if f.Range[i] < 0 {
			continue
		}
		if to := r.To[f.Range[i]]; to >= 0 && f.Moment[i] >= to {
			continue
		}
		// Of those that now are of the same moment the last one counts.
		if n := len(kept) - 1; n >= 0 && f.Range[kept[n]] == f.Range[i] && f.Moment[kept[n]] == f.Moment[i] {
			kept[n] = i
			continue
		}
		kept = append(kept, i)
	}
	*f = Figures{pick(f.Range, kept), pick(f.Moment, kept), pick(f.Resident, kept), pick(f.Uncounted, kept), pick(f.PSS, kept), pick(f.Private, kept), pick(f.Swapped, kept)}
}

// thin keeps the items of p's lists for the moments that are left.
func (p *Process) thin(stay, next []int) {
	var kept []int
	moments := []int{}
	for i, at := range p.Moments {
		if stay[next[at]] == at {
			kept = append(kept, i)
			moments = append(moments, next[at])
		}
	}
	p.Moments = moments
	p.Count, p.Mappings, p.VMAs, p.Peak, p.ResidentAt = pick(p.Count, kept), pick(p.Mappings, kept), pick(p.VMAs, kept), pick(p.Peak, kept), pick(p.ResidentAt, kept)
	if p.GaveBack != nil {
		p.GaveBack, p.Brought = pick(p.GaveBack, kept), pick(p.Brought, kept)
	}
}
