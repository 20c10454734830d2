package eventlog

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// snapshotCauses is why a snapshot is taken.
var snapshotCauses = []string{"exec", "exit", "detach", "interval", "signal", "peak", "vsz", "map"}

func (c *checker) snapshot(r *Snapshot) {
	s := c.p.Space(r.Space)
	if !c.must(s != nil, "snapshot: space %d is not known", r.Space) {
		return
	}
	c.snapshots++
	c.must(slices.Contains(snapshotCauses, r.Cause), "snapshot of space %d: cause %q is none of %s", r.Space, r.Cause, strings.Join(snapshotCauses, ", "))
	if r.Cause == "exec" {
		c.leaving[r.Space] = true
	}
	l := ledger.New()
	last := Hex(0)
	for i := range r.Mappings {
		m := &r.Mappings[i].Mapping
		rows := r.Mappings[i].Rows
		c.must(rows >= 0 && uint64(rows) <= uint64(m.End-m.Start)/vm.PageSize, "snapshot of space %d: mapping %d: %d rows of the kernel begin in it", r.Space, i, rows)
		e, err := c.conv.entry(m.Start, m.End, &m.Attr)
		if err != nil {
			c.problem("snapshot of space %d: mapping %d: %v", r.Space, i, err)
			return
		}
		if !c.must(m.Start >= last, "snapshot of space %d: mapping %d is not above the one before it", r.Space, i) {
			return
		}
		last = m.End
		l.Add(e, nil)
	}
	if err := s.comesAfter(r.After); err != nil {
		c.problem("snapshot of space %d: %v", r.Space, err)
	}
	none := func(_, _ *ledger.Entry) bool { return false }
	c.differences("snapshot of space", s.ID, "the ledger has", s.Ledger, "it shows", l, none)
	c.figures(r, l)
}

// figures checks the figures of each kernel row against its size. A row shared by several mappings is a run of
// adjacent similar ones, and any of them may carry the figures.
func (c *checker) figures(r *Snapshot, l *ledger.Ledger) {
	var row vm.Mapping
	var sum SnapshotMapping
	close := func() {
		n := row.Len()
		c.must(sum.RSS <= n && sum.Swap <= n, "snapshot of space %d: %v: %d bytes of memory and %d of swap in %d", r.Space, row.Range, sum.RSS, sum.Swap, n)
		c.must(sum.PSS <= sum.RSS, "snapshot of space %d: %v: pss %d is more than rss %d", r.Space, row.Range, sum.PSS, sum.RSS)
		c.must(sum.Shared <= sum.RSS && sum.Huge <= sum.RSS && sum.Locked <= sum.RSS, "snapshot of space %d: %v: %d bytes are shared, %d in huge pages, %d locked of rss %d", r.Space, row.Range, sum.Shared, sum.Huge, sum.Locked, sum.RSS)
		c.must(sum.PrivateDirty <= sum.RSS, "snapshot of space %d: %v: private_dirty %d is more than rss %d", r.Space, row.Range, sum.PrivateDirty, sum.RSS)
		sum = SnapshotMapping{}
	}
	for i := range r.Mappings {
		m := &r.Mappings[i]
		e, _ := l.At(uint64(m.Start))
		e = e.Cut(vm.Range{Start: uint64(m.Start), End: uint64(m.End)})
		if i > 0 && row.End == e.Start && row.Agrees(e.Mapping) {
			row.End = e.End
		} else {
			close()
			row = e.Mapping
		}
		sum.RSS += m.RSS
		sum.PSS += m.PSS
		sum.Shared += m.Shared
		sum.Huge += m.Huge
		sum.Locked += m.Locked
		sum.PrivateDirty += m.PrivateDirty
		sum.Swap += m.Swap
	}
	close()
}
