package record

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/tracer"
)

// The kernel at hand names the functions in which threads wait for the lock of the mappings as waitsForKernel
// expects.
func TestLockWaitersAreKnown(t *testing.T) {
	testenv.Need(t, "make", "gcc")
	dir := t.TempDir()
	if err := testenv.Programs(dir, "storm"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "storm"), "16", "0", "1")
	cmd.Env = append(os.Environ(), "VMBLAME_ACCOUNT_FD=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Kill()
		cmd.Wait()
	}()
	ready := bufio.NewScanner(out)
	for !strings.HasPrefix(ready.Text(), "ready") {
		if !ready.Scan() {
			t.Fatal("storm ended before it was ready")
		}
	}
	const enough, patience = 20, 3 * time.Minute
	known, others := 0, map[string]int{}
	for end := time.Now().Add(patience); known < enough; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d times a thread was seen waiting for the lock; others waited in %v", known, others)
		}
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			before, function := tracer.State(tid), tracer.WaitsIn(tid)
			if before != 'D' || function == "" || tracer.State(tid) != 'D' || tracer.WaitsIn(tid) != function {
				continue
			}
			if waitsForKernel(function) {
				known++
			} else {
				others[function]++
			}
		}
	}
}
