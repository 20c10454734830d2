package record

import (
	"os"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// Processes returns what each process has mapped, from the kernel's own sums. It leaves out kernel threads, and
// processes that have ended.
func Processes(pids []int) []analysis.ProcessMemory {
	list := []analysis.ProcessMemory{}
	for _, pid := range pids {
		size, resident := procfs.Statm(pid)
		if size == 0 {
			continue
		}
		argv := procfs.Cmdline(pid)
		p := analysis.ProcessMemory{PID: pid, Name: analysis.ProcessName(argv, procfs.Comm(pid), procfs.Exe(pid)), Command: argv,
			Reserved: int64(size), Resident: counted(resident)}
		if rows, err := allRows(pid); err == nil {
			var all, usable uint64
			for i := range rows {
				all += rows[i].Len()
				if rows[i].Perms&(vm.Read|vm.Write|vm.Exec) != 0 {
					usable += rows[i].Len()
				}
			}
			p.Reserved, p.Committed, p.VMAs = int64(all), counted(usable), counted(uint64(len(rows)))
		}
		if r, err := procfs.SmapsRollup(pid); err == nil {
			p.Resident, p.Shared, p.PSS, p.Swapped = counted(r.Rss), counted(r.Shared), counted(r.Pss), counted(r.Swap)
		}
		list = append(list, p)
	}
	return list
}

func counted(n uint64) *int64 {
	v := int64(n)
	return &v
}

func allRows(pid int) ([]vm.Mapping, error) {
	m, err := procfs.OpenMaps(pid)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return m.All()
}

// MaxMapCount is vm.max_map_count, nil where it cannot be read.
func MaxMapCount() *int64 {
	text, _ := os.ReadFile(systemFiles["max_map_count"])
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}
