package analysis

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
)

// Processes lists what processes have mapped: all processes of a machine, or those of one name.
type Processes struct {
	Type string `json:"type"`          // "processes"
	Sort Sort   `json:"sort"`          // the order of the rows
	Maps *int64 `json:"max_map_count"` // a number: vm.max_map_count, null where it is not known

	List []ProcessMemory `json:"processes"` // those with an address space of their own
}

// ProcessMemory is a row of Processes.
type ProcessMemory struct {
	PID       int           `json:"pid"`       // of the process
	Name      string        `json:"name"`      // what a person calls it, as in a report
	Command   []string      `json:"command"`   // its arguments
	Reserved  int64         `json:"reserved"`  // bytes of address space
	Committed *int64        `json:"committed"` // those of them that can be accessed in some way; null where its mappings may not be read
	Resident  *int64        `json:"resident"`  // those in memory; null where that is not known
	Shared    *int64        `json:"shared"`    // of the resident bytes, those that others have, too; null where that may not be read
	PSS       *int64        `json:"pss"`       // resident bytes, what is shared divided among those who share it; null where that may not be read
	Swapped   *int64        `json:"swapped"`   // bytes in swap space; null where that may not be read
	VMAs      *int64        `json:"vmas"`      // mappings, as the kernel counts them; null where they may not be read
	Largest   *LargestShare `json:"largest"`   // the kind that has most of it; null if it was not looked up, which is done only for the first rows
}

// LargestShare is the kind of memory that a process has most of, measured by the figure that the rows are sorted by.
type LargestShare struct {
	Kind     classify.Kind `json:"kind"`     // docs/kinds.md
	Label    string        `json:"label"`    // in words
	Reserved int64         `json:"reserved"` // bytes of address space
	Resident *int64        `json:"resident"` // those in memory; null where that is not known
}

// NewProcesses sorts the rows: what is not known stands last.
func NewProcesses(list []ProcessMemory, by Sort, maps *int64) *Processes {
	of := func(p *ProcessMemory) int64 {
		v := &p.Reserved
		switch by {
		case SortResident:
			v = p.Resident
		case SortCommitted:
			v = p.Committed
		case SortVMAs, SortCount:
			v = p.VMAs
		}
		if v == nil {
			return -1
		}
		return *v
	}
	slices.SortStableFunc(list, func(a, b ProcessMemory) int {
		if by == SortName {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.PID, b.PID))
		}
		return cmp.Or(cmp.Compare(of(&b), of(&a)), cmp.Compare(a.PID, b.PID))
	})
	return &Processes{Type: "processes", Sort: by, Maps: maps, List: list}
}
