package analysis

import "github.com/vmblame/vmblame/internal/vm"

// A kernelRow is one row of /proc/PID/maps: neighbouring mappings with the same attributes, which the ledger keeps
// apart because different calls made them. It may also stand for several rows, if the kernel keeps apart what is one
// mapping of the ledger.
type kernelRow struct {
	vm.Mapping
	first, last int // of the mappings
	rows        int // 1, more where the kernel keeps apart what the ledger does not: other flags, say
}

// kernelRows merges mappings, ascending, as the kernel does. The kernel may keep neighbours apart although their rows
// look alike (because of flags or their history). If the nearest snapshot has counted the rows of both, its count
// decides; otherwise such neighbours are one row (mm/vma.c) unless just one of them was moved by mremap.
func kernelRows(mappings []mapping) []kernelRow {
	rows := make([]kernelRow, 0, len(mappings))
	for i := range mappings {
		x := &mappings[i]
		n := len(rows) - 1
		joins := n >= 0 && rows[n].End == x.Start && rows[n].SameKind(x.Mapping)
		switch {
		case !joins:
		case x.begin != nil && mappings[i-1].begin != nil:
			joins = *x.begin == 0
		default:
			joins = (x.Moved == nil) == (mappings[i-1].Moved == nil)
		}
		if joins {
			rows[n].End = x.End
			rows[n].last = i
			continue
		}
		r := kernelRow{x.Mapping, i, i, 1}
		if x.begin != nil {
			r.rows = max(*x.begin, 1)
		}
		rows = append(rows, r)
	}
	return rows
}

// vmas counts the kernel's rows that begin in each mapping, and all of them.
func (p *process) vmas() (in map[*mapping]int, all int) {
	list := kernelRows(p.mappings)
	in = make(map[*mapping]int, len(list))
	for _, r := range list {
		in[&p.mappings[r.first]] = r.rows
		all += r.rows
	}
	return in, all
}
