package record

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// view is the kernel's view of an address space. Where calls have changed that which are not settled yet, it shows
// what the ledger has: the kernel is ahead of it there.
type view struct {
	maps  *procfs.Maps
	space *space
	rows  []vm.Mapping // where set, what was read before
	out   []vm.Mapping // reused
}

// All implements mm.View.
func (v *view) All() ([]vm.Mapping, error) {
	if v.rows != nil {
		return v.rows, nil
	}
	return v.maps.All()
}

// PageSize implements mm.View.
func (v *view) PageSize(row vm.Mapping) uint64 {
	if now, ok := v.maps.At(row.Start); ok && now.File == row.File {
		return v.maps.PageSize(now)
	}
	return vm.PageSize
}

// In implements mm.View.
func (v *view) In(at vm.Range) ([]vm.Mapping, error) {
	if v.rows != nil {
		return touching(v.rows, at), nil
	}
	f := v.space.stamps.settling
	if f != nil && f.gone.Overlaps(at) {
		return nil, nil // what stands there is another's
	}
	rows, err := v.answer(f, at)
	if err != nil {
		return nil, err
	}
	var hidden []vm.Range
	if f != nil && f.own.Overlaps(at) {
		hidden = append(hidden, f.own.Range)
	}
	for _, r := range v.space.stamps.ahead {
		if r.Overlaps(at) {
			hidden = append(hidden, r)
		}
	}
	if len(hidden) == 0 {
		return rows, nil
	}
	return touching(v.behind(rows, hidden), at), nil
}

// answer is what the kernel shows, or has shown when it was asked for the call.
func (v *view) answer(f *pending, at vm.Range) ([]vm.Mapping, error) {
	if f != nil {
		for _, looked := range f.looked {
			if looked.Covers(at) {
				slices.SortFunc(f.rows, func(a, b vm.Mapping) int { return cmp.Compare(a.Start, b.Start) })
				return touching(slices.CompactFunc(f.rows, func(a, b vm.Mapping) bool { return a.Start == b.Start }), at), nil
			}
		}
	}
	return v.maps.In(at)
}

// Hides implements mm.Hider.
func (v *view) Hides(at vm.Range) bool {
	return slices.ContainsFunc(v.space.stamps.ahead, at.Overlaps)
}

// behind returns rows with the ledger's in the place of what is hidden.
func (v *view) behind(rows []vm.Mapping, hidden []vm.Range) []vm.Mapping {
	slices.SortFunc(hidden, func(a, b vm.Range) int { return cmp.Compare(a.Start, b.Start) })
	v.out = v.out[:0]
	for _, row := range rows {
		rest := row.Range
		for _, h := range hidden {
			if !h.Overlaps(rest) {
				continue
			}
			if rest.Start < h.Start {
				v.out = append(v.out, row.Slice(vm.Range{Start: rest.Start, End: h.Start}))
			}
			rest.Start = min(max(rest.Start, h.End), rest.End)
		}
		if !rest.Empty() {
			v.out = append(v.out, row.Slice(rest))
		}
	}
	end := uint64(0)
	for _, h := range hidden {
		h.Start = max(h.Start, end)
		if h.Empty() {
			continue
		}
		end = h.End
		var own vm.Mapping
		if f := v.space.stamps.settling; f != nil {
			own = f.own
		}
		if x := own.Intersect(h); !x.Empty() {
			v.out = append(v.out, own.Slice(x))
			v.ledgers(vm.Range{Start: h.Start, End: x.Start})
			h.Start = x.End
		}
		v.ledgers(h)
	}
	slices.SortFunc(v.out, func(a, b vm.Mapping) int { return cmp.Compare(a.Start, b.Start) })
	return v.out
}

// ledgers appends the ledger's rows of a range.
func (v *view) ledgers(r vm.Range) {
	if r.Empty() {
		return
	}
	v.space.mm.Ledger().Overlapping(r, func(e ledger.Entry) bool {
		v.out = append(v.out, e.Mapping.Slice(r))
		return true
	})
}

// lookAtOwn finds out, as soon as a call has returned, which file it has mapped: other threads may have changed a
// part of that already, and will have by the time it is settled. A page that fits tells of all.
func (b *backlog) lookAtOwn(f *pending) {
	op, sp := &f.call.Op, f.space
	if sp.maps == nil || !f.asks() {
		return
	}
	at := vm.Range{Start: f.value, End: f.value + 1}
	var offset uint64
	switch op.Kind {
	case vm.OpMap:
		at = vm.RangeOf(f.value, op.Len)
		if op.Flags&vm.MapAnonymous == 0 {
			offset = op.Offset
		}
	case vm.OpShmAttach, vm.OpAioSetup:
	default:
		return
	}
	rows, err := sp.maps.In(at)
	if err != nil {
		return
	}
	for _, row := range rows {
		if !row.File.Backed() || row.Offset-row.Start != offset-at.Start {
			continue
		}
		f.own = vm.Mapping{Range: at, Perms: row.Perms, Offset: offset, File: row.File}
		if op.Kind == vm.OpMap {
			f.own.Perms = vm.ProtPerms(op.Prot) | row.Perms&vm.Shared
		} else {
			f.own.Range = row.Range
		}
		return
	}
	switch {
	case op.Kind != vm.OpMap:
	case op.Flags&vm.MapAnonymous == 0:
		b.lookAtFD(f, at)
	case op.Flags&vm.MapTypeMask == vm.MapPrivate && op.Flags&vm.MapHugeTLB == 0:
		f.own = vm.Mapping{Range: at, Perms: vm.ProtPerms(op.Prot)}
	}
	if f.own.Empty() {
		f.gone = at
	}
}

// lookAtFD takes the file of a mapping of which nothing is left from the descriptor that it was made by.
func (b *backlog) lookAtFD(f *pending, at vm.Range) {
	op := &f.call.Op
	file, ok := procfs.FD(f.task.thread.TID, op.FD)
	if !ok {
		return
	}
	f.own = vm.Mapping{Range: at, Perms: vm.ProtPerms(op.Prot), Offset: op.Offset, File: file}
	if op.Flags&vm.MapTypeMask != vm.MapPrivate {
		f.own.Perms |= vm.Shared
	}
}

// touching returns those rows that touch a range.
func touching(rows []vm.Mapping, at vm.Range) []vm.Mapping {
	i := 0
	for i < len(rows) && rows[i].End <= at.Start {
		i++
	}
	j := i
	for j < len(rows) && rows[j].Start < at.End {
		j++
	}
	return rows[i:j]
}
