package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// TestMapAll: each process's row is what the kernel says of it, in the order that was asked for.
func TestMapAll(t *testing.T) {
	pid, _ := waits(t, "memory_malloc")
	var all analysis.Processes
	if err := json.Unmarshal([]byte(output(t, built.vmblame, "map", "--all", "--sort", "vmas", "--json")), &all); err != nil {
		t.Fatal(err)
	}
	var kernel struct{ reserved, usable, resident, shared uint64 }
	rows, err := vm.ParseSmaps(nil, []byte(output(t, "cat", fmt.Sprintf("/proc/%d/smaps", pid))))
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		kernel.reserved += rows[i].Len()
		kernel.resident += rows[i].Rss
		if rows[i].Perms != 0 {
			kernel.usable += rows[i].Len()
		}
	}
	found := false
	for i, p := range all.List {
		if i > 0 && p.VMAs != nil && *p.VMAs > *all.List[i-1].VMAs {
			t.Errorf("%d mappings behind %d", *p.VMAs, *all.List[i-1].VMAs)
		}
		if p.PID != pid {
			continue
		}
		found = true
		if p.Name != "memory_malloc" || p.Reserved != int64(kernel.reserved) || *p.Committed != int64(kernel.usable) || *p.VMAs != int64(len(rows)) {
			t.Errorf("%+v, the kernel says %+v and %d rows", p, kernel, len(rows))
		}
		// Pages of files come and go with the page cache.
		if *p.Resident < int64(kernel.resident)/2 || *p.Resident > 2*int64(kernel.resident) || *p.Shared > *p.Resident || *p.PSS > *p.Resident {
			t.Errorf("%d resident, %d shared, pss %d, the kernel says %d resident", *p.Resident, *p.Shared, *p.PSS, kernel.resident)
		}
		if l := p.Largest; l != nil && l.Kind != classify.GlibcArena {
			t.Errorf("it has most of %v, not arenas", *l)
		}
	}
	if !found {
		t.Errorf("%d is not in the table", pid)
	}
	if text := output(t, built.vmblame, "map", "--all"); !strings.Contains(text, "memory_malloc") || !strings.Contains(text, "RESIDENT") {
		t.Errorf("the table:\n%s", text)
	}
}

// TestMapAsksWhich: several processes of one name are a table to choose from.
func TestMapAsksWhich(t *testing.T) {
	one, _ := waits(t, "memory_single")
	two, _ := waits(t, "memory_single")
	// One that has ended and waits for its parent is no choice.
	three := exec.Command(prog(t, "memory_single"))
	stdin, err := three.StdinPipe()
	if err == nil {
		err = three.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer three.Wait()
	stdin.Close()
	eventually(t, "its end", func() bool { size, _ := procfs.Statm(three.Process.Pid); return size == 0 })
	out, err := exec.Command(built.vmblame, "map", "memory_single").CombinedOutput()
	text := string(out)
	if err == nil || !strings.Contains(text, ": 2 processes") || !strings.Contains(text, "RESIDENT") || !strings.Contains(text, fmt.Sprint(one)) || !strings.Contains(text, fmt.Sprint(two)) || strings.Count(text, "\n") != 4 {
		t.Errorf("%v, %s", err, text)
	}
}
