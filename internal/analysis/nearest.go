package analysis

import (
	"sort"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// nearest holds the snapshots of a space that are closest in time to a moment.
type nearest struct {
	before, after *snapshot
}

// A snapshot holds the kernel's figures (smaps) for one address space at one moment.
type snapshot struct {
	t      int64
	cause  string
	rows   []counted
	vmas   bool            // the rows of the kernel's were counted
	system eventlog.System // nil in logs of versions that did not ask
}

// counted is a row of a snapshot: neighbouring pages with one origin.
type counted struct {
	vm.Range
	origin uint64 // seq, 0 for none
	cause  string // why there is no event, if origin is 0
	anon   string // the name that the kernel shows, "" for none
	begin  int    // number of VMAs that begin in it
	usage
}

func (v *nearest) put(r *eventlog.Snapshot, past bool) {
	if past && v.after != nil {
		return
	}
	n := &snapshot{t: r.T, cause: r.Cause, rows: make([]counted, len(r.Mappings)), system: r.System}
	for i := range r.Mappings {
		m := &r.Mappings[i]
		n.vmas = n.vmas || m.Rows > 0
		n.rows[i] = counted{vm.Range{Start: uint64(m.Start), End: uint64(m.End)}, originSeq(m.Origin), m.OriginCause, m.AnonName, m.Rows,
			usage{int64(m.End - m.Start), int64(m.RSS), int64(m.PSS), int64(m.PrivateDirty), int64(m.Swap), int64(m.Shared), int64(m.Huge), int64(m.Locked)}}
	}
	if past {
		v.after = n
	} else {
		v.before = n
	}
}

// to returns the snapshot nearest to t, nil where there is none.
func (v *nearest) to(t int64) *snapshot {
	switch {
	case v == nil:
		return nil
	case v.after == nil:
		return v.before
	case v.before == nil, v.after.t-t < t-v.before.t:
		return v.after
	}
	return v.before
}

// usage sets the figures of p's mappings from the nearest snapshot, and returns the anonymous names in it, nil for
// none. Figures are assigned by origin; a mapping that is only part of what the snapshot counted as one gets its
// share by length.
func (v *nearest) usage(p *process, t int64) []string {
	p.taken = -1
	snap := v.to(t)
	if snap == nil {
		return nil
	}
	p.taken, p.figures = snap.t, snap
	var names []string
	rows := snap.rows
	for i := range p.mappings {
		x := &p.mappings[i]
		first := sort.Search(len(rows), func(j int) bool { return rows[j].End > x.Start })
		for j := first; j < len(rows) && rows[j].Start < x.End; j++ {
			m := &rows[j]
			if m.origin != x.Origin.Event || m.cause != x.Origin.Cause.String() {
				continue
			}
			x.usage.add(m.usage.part(m.Intersect(x.Range), m.Range))
			if snap.vmas {
				x.begin = m.beginIn(p.mappings, i)
			}
			if m.anon != "" {
				if names == nil {
					names = make([]string, len(p.mappings))
				}
				names[i] = m.anon
			}
		}
	}
	return names
}

// beginIn returns how many of the kernel's rows begin in mapping i, nil if the snapshot did not count that. If one row
// of the snapshot has become several mappings, because inspecting memory told them apart, the row begins in the first
// of them.
func (m *counted) beginIn(mappings []mapping, i int) *int {
	x := &mappings[i]
	switch {
	case m.Range == x.Range, x.Start == m.Start && x.End < m.End && m.begin <= 1:
		return &m.begin
	case x.Start > m.Start && x.End <= m.End && m.begin <= 1 && i > 0 && mappings[i-1].End == x.Start && mappings[i-1].SameKind(x.Mapping) && mappings[i-1].Origin == x.Origin:
		return new(int)
	}
	return nil
}

// part divides figures that were counted for whole, and returns the share of r. RSS and swap are divided by length, the
// parts of RSS by their share of RSS. Shares are multiples of a page, of 1 KiB for PSS. The shares of ranges that make
// up whole add up to f, and no part of RSS exceeds the range's share of RSS.
func (f usage) part(r, whole vm.Range) usage {
	// until is how much of v lies before an address, if of units of something as many lie there as of, of all.
	until := func(v, of, all, unit int64) int64 {
		if of == all {
			return v
		}
		return int64(float64(v)*float64(of)/float64(all)) / unit * unit
	}
	const kib = 1 << 10
	length := int64(whole.Len())
	from, to := int64(r.Start-whole.Start), int64(r.End-whole.Start)
	cut := func(v int64) int64 { return until(v, to, length, vm.PageSize) - until(v, from, length, vm.PageSize) }
	before, upto := until(f.rss, from, length, vm.PageSize), until(f.rss, to, length, vm.PageSize)
	of := func(v, unit int64) int64 { return until(v, upto, f.rss, unit) - until(v, before, f.rss, unit) }
	if f.rss == 0 {
		of = func(v, _ int64) int64 { return cut(v) }
	}
	return usage{cut(f.asked), upto - before, of(f.pss, kib), of(f.dirty, vm.PageSize), cut(f.swap), of(f.shared, vm.PageSize), of(f.huge, vm.PageSize), of(f.locked, vm.PageSize)}
}

func originSeq(seq *uint64) uint64 {
	if seq == nil {
		return 0
	}
	return *seq
}
