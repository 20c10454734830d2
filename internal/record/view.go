package record

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// view is the kernel's view of an address space.
type view struct {
	maps  *procfs.Maps
	space *space
	rows  []vm.Mapping // if set, rows that were read earlier and are used instead
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

// In implements mm.View. For the call being settled it returns the rows that lookFor has read, if they cover at.
func (v *view) In(at vm.Range) ([]vm.Mapping, error) {
	if v.rows != nil {
		return vm.Touching(v.rows, at), nil
	}
	if f := v.space.stamps.settling; f != nil {
		for _, looked := range f.looked {
			if looked.Covers(at) {
				slices.SortFunc(f.rows, func(a, b vm.Mapping) int { return cmp.Compare(a.Start, b.Start) })
				return vm.Touching(slices.CompactFunc(f.rows, func(a, b vm.Mapping) bool { return a.Start == b.Start }), at), nil
			}
		}
	}
	return v.maps.In(at)
}

// lookAtOwn determines, right after a call has returned, what it has mapped (mm.Space.Own).
func (b *backlog) lookAtOwn(f *pending) {
	if f.space.maps == nil {
		return
	}
	ret := f.mmReturn(0, 0)
	f.own, f.gone = f.space.mm.Own(&f.call.Op, &ret, func() (vm.File, bool) {
		return procfs.FD(f.task.thread.TID, f.call.Op.FD)
	})
}
