package analysis

import (
	"cmp"
	"slices"
	"strconv"
)

// Sort is the order of a report's rows.
type Sort string

// The values of Sort; all but the name put the largest first.
const (
	SortReserved  Sort = "reserved"
	SortCommitted Sort = "committed"
	SortResident  Sort = "resident"
	SortCount     Sort = "count"
	SortName      Sort = "name"
	SortVMAs      Sort = "vmas" // mappings of the kernel's: the report then is about their number
)

// SortRows sorts rows and their parts.
func SortRows(rows []Row, by Sort) {
	value := func(h *Row) int64 {
		switch by {
		case SortCommitted:
			return h.Committed
		case SortResident:
			return measured(h.Resident)
		case SortCount:
			return int64(h.Count)
		case SortVMAs:
			return int64(h.VMAs)
		}
		return h.Reserved
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		switch by {
		case SortName:
			return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(b.Reserved, a.Reserved))
		case SortVMAs:
			return cmp.Or(cmp.Compare(b.VMAs, a.VMAs), cmp.Compare(a.Label, b.Label))
		}
		return cmp.Or(cmp.Compare(value(&b), value(&a)), cmp.Compare(b.Reserved, a.Reserved), cmp.Compare(a.Label, b.Label), slices.Compare(a.Calls, b.Calls))
	})
	for i := range rows {
		SortRows(rows[i].Parts, by)
	}
}

// measured returns a figure, -1 if there is none.
func measured(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

// cutRows merges all rows with fewer than least reserved bytes into one last row, and in each row the small parts into
// one last part. If all parts of a row are small, only the row itself remains.
func cutRows(rows []Row, least int64) []Row {
	shown, rest := cut(rows, least)
	if rest.Smaller > 0 {
		rest.Label = "smaller"
		shown = append(shown, rest)
	}
	return shown
}

func cut(rows []Row, least int64) (shown []Row, rest Row) {
	shown = rows[:0]
	for _, h := range rows {
		if h.Reserved < least {
			rest.Totals.Add(&h.Totals)
			rest.VMAs += h.VMAs
			rest.Smaller++
			continue
		}
		var small Row
		if h.Parts, small = cut(h.Parts, least); small.Smaller > 0 && len(h.Parts) > 0 {
			small.Label = "(" + strconv.Itoa(small.Smaller) + " smaller)"
			h.Parts = append(h.Parts, small)
		}
		shown = append(shown, h)
	}
	return shown, rest
}
