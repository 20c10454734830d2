package report

import (
	"sort"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// sightings are the snapshots of a space that lie nearest to a moment.
type sightings struct {
	before, after *eventlog.Snapshot
}

func (v *sightings) put(r *eventlog.Snapshot, past bool) {
	switch {
	case !past:
		v.before = r
	case v.after == nil:
		v.after = r
	}
}

// nearest returns the snapshot nearest to t, nil where there is none.
func (v *sightings) nearest(t int64) *eventlog.Snapshot {
	switch {
	case v == nil:
		return nil
	case v.after == nil:
		return v.before
	case v.before == nil, v.after.T-t < t-v.before.T:
		return v.after
	}
	return v.before
}

// figures gives the pieces of p the figures of the nearest snapshot, and returns the anonymous names it
// has, nil for none. Figures go with pages of the same origin; where a piece has only a part of what the
// snapshot counted together, it gets its part by length.
func (v *sightings) figures(p *process, t int64) []string {
	p.taken = -1
	snap := v.nearest(t)
	if snap == nil {
		return nil
	}
	p.taken = snap.T
	var names []string
	rows := snap.Mappings
	for i := range p.pieces {
		x := &p.pieces[i]
		first := sort.Search(len(rows), func(j int) bool { return uint64(rows[j].End) > x.Start })
		for j := first; j < len(rows) && uint64(rows[j].Start) < x.End; j++ {
			m := &rows[j]
			if originSeq(m.Origin) != x.Origin.Event || m.OriginCause != x.Origin.Cause.String() {
				continue
			}
			r := vm.Range{Start: uint64(m.Start), End: uint64(m.End)}
			n, of := r.Intersect(x.Range).Len(), r.Len()
			part := func(bytes uint64) int64 {
				if n == of {
					return int64(bytes)
				}
				return int64(float64(bytes)*float64(n)/float64(of)) &^ (vm.PageSize - 1)
			}
			x.figures.add(figures{part(m.RSS), part(m.PSS), part(m.PrivateDirty), part(m.Swap)})
			if m.AnonName != "" {
				if names == nil {
					names = make([]string, len(p.pieces))
				}
				names[i] = m.AnonName
			}
		}
	}
	return names
}

func originSeq(seq *uint64) uint64 {
	if seq == nil {
		return 0
	}
	return *seq
}
