package analysis

import "github.com/vmblame/vmblame/internal/vm"

// A kernelRow is what the kernel shows as one row of /proc/PID/maps: neighbours that look alike, of which
// the ledger keeps apart what different calls made.
type kernelRow struct {
	vm.Mapping
	first, last int // of the mappings
}

// kernelRows merges mappings, ascending, as the kernel merges neighbours (mm/vma.c). What keeps neighbours
// apart without being seen in their rows (their flags, say) is not known here.
func kernelRows(mappings []mapping) []kernelRow {
	var rows []kernelRow
	for i := range mappings {
		x := &mappings[i]
		if n := len(rows) - 1; n >= 0 && rows[n].End == x.Start && rows[n].SameKind(x.Mapping) {
			rows[n].End = x.End
			rows[n].last = i
			continue
		}
		rows = append(rows, kernelRow{x.Mapping, i, i})
	}
	return rows
}

// vmas counts the rows of the kernel's that begin in each mapping, and all of them: as a snapshot counted them where one
// counted all, with what keeps rows apart that look alike, and else by looks.
func (p *process) vmas() (in map[*mapping]int, all int) {
	in = map[*mapping]int{}
	for i := range p.mappings {
		x := &p.mappings[i]
		if x.begin == nil {
			clear(in)
			rows := kernelRows(p.mappings)
			for _, r := range rows {
				in[&p.mappings[r.first]]++
			}
			return in, len(rows)
		}
		in[x] = *x.begin
		all += *x.begin
	}
	return in, all
}
