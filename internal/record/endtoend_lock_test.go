package record_test

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/record"
	"github.com/vmblame/vmblame/tracer"
)

// The kernel at hand names the functions in which threads wait for the lock of the mappings as waitsForKernel
// expects.
func TestLockWaitersAreKnown(t *testing.T) {
	c := begin(t, []string{prog("storm"), "16", "0", "1"})
	eventually(t, "storm is ready", func() bool { return c.line("ready") != "" })
	known := 0
	eventually(t, "threads have been seen waiting for the lock", func() bool {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", c.pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			before, function := tracer.State(tid), tracer.WaitsIn(tid)
			if before != 'D' || function == "" || tracer.State(tid) != 'D' || tracer.WaitsIn(tid) != function {
				continue
			}
			if record.WaitsForKernel(function) {
				known++
			}
		}
		return known >= 20
	})
	c.signal(syscall.SIGTERM)
	c.mustEnd("exit status 0")
}
