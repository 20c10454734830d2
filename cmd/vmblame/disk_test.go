package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// smallDisk mounts a file system of so many bytes.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	testenv.Need(t, "root")
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestDiskFull: the program goes on to its own end, it is said once, and the log ends whole.
func TestDiskFull(t *testing.T) {
	for _, c := range []struct{ name, size string }{{"log.jsonl", "64k"}, {"log.jsonl", "16k"}, {"log.jsonl.zst", "8k"}} {
		{
			t.Run(c.name+" "+c.size, func(t *testing.T) {
				log := filepath.Join(smallDisk(t, c.size), c.name)
				// Many small processes make many lines.
				script := "for i in 1 2 3 4 5 6 7 8 9 10; do /bin/ls / >/dev/null; done; echo done; exit 3"
				r := vmblame(t, "", "run", "-o", log, "sh", "-c", script)
				r.wants(t, 3, "no space left on device", "mapped")
				if n := strings.Count(r.stderr, "no space left"); n != 1 {
					t.Errorf("it is said %d times:\n%s", n, r.stderr)
				}
				if r.stdout != "done\n" {
					t.Errorf("the program said %q", r.stdout)
				}
				all := read(t, log)
				if end, ok := all[len(all)-1].(*eventlog.End); !ok || end.Cause != "failed" || end.Lost == 0 {
					t.Errorf("the last line: %+v", all[len(all)-1])
				}
			})
		}
	}
}

// TestDeviceFull: the same for a device that takes nothing.
func TestDeviceFull(t *testing.T) {
	r := vmblame(t, "", "run", "-o", "/dev/full", "sh", "-c", "echo done")
	r.wants(t, 0, "no space left on device")
	if r.stdout != "done\n" {
		t.Errorf("the program said %q", r.stdout)
	}
}

// TestLogReaderGone: a pipe whose reader goes away does not take the program with it.
func TestLogReaderGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	cmd := command(t, "", "run", "-o", "/dev/fd/3", "sh", "-c", "echo done; exit 4")
	cmd.ExtraFiles = []*os.File{w}
	res := finish(t, cmd)
	w.Close()
	res.wants(t, 4, "broken pipe")
	if res.stdout != "done\n" {
		t.Errorf("the program said %q", res.stdout)
	}
}

// TestStderrGone: standard error may go away too.
func TestStderrGone(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	dir := t.TempDir()
	cmd := command(t, dir, "run", "--live", "-o", "log.jsonl", "sh", "-c", "exit 5")
	cmd.Stderr = w
	start(t, cmd)
	w.Close()
	cmd.Wait()
	resultOf(t, cmd, "", "").wants(t, 5)
	records(t, filepath.Join(dir, "log.jsonl"))
}
