package analysis

import "github.com/vmblame/vmblame/internal/vm"

// A kernelRow is what the kernel shows as one row of /proc/PID/maps: neighbours that look alike, of which the ledger
// keeps apart what different calls made. Or a mapping of which the kernel makes several rows.
type kernelRow struct {
	vm.Mapping
	first, last int // of the mappings
	rows        int // 1, more where the kernel keeps apart what the ledger does not: other flags, say
}

// kernelRows merges mappings, ascending, as the kernel does. What keeps neighbours apart without being seen in their rows
// (their flags, what they were before) is known where the nearest snapshot has both as they are; else neighbours that
// look alike (mm/vma.c) are one row unless mremap brought one of them.
func kernelRows(mappings []mapping) []kernelRow {
	var rows []kernelRow
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

// vmas counts the rows of the kernel's that begin in each mapping, and all of them.
func (p *process) vmas() (in map[*mapping]int, all int) {
	in = map[*mapping]int{}
	for _, r := range kernelRows(p.mappings) {
		in[&p.mappings[r.first]] = r.rows
		all += r.rows
	}
	return in, all
}
