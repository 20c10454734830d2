package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// crosses waits for a line, maps 64 MiB, gives them back, maps them again, forks a child that maps as much
// once more, and waits for another line.
const crosses = `
import mmap, os, sys
print("ready", flush=True)
sys.stdin.readline()
m = mmap.mmap(-1, 64 << 20); m.close(); m = mmap.mmap(-1, 64 << 20)
if os.fork() == 0:
    m.close()
    m = mmap.mmap(-1, 96 << 20)
    os._exit(0)
os.wait()
print("done", flush=True)
sys.stdin.readline()
`

// TestUntilVSZ: the moment at which the bound is crossed is told once unless more is mapped then, and stands in the log with the
// kernel's figures, under run as under attach, in a child too.
func TestUntilVSZ(t *testing.T) {
	python := testenv.Python(t)
	for _, mode := range []string{"run", "attach"} {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			var errs bytes.Buffer
			target := exec.Command(python, "-c", crosses)
			flags := []string{"-q", "-o", "log.jsonl"}
			if mode == "run" {
				target = command(t, dir, append(append([]string{"run"}, flags...), "--until-vsz", "60M", "--", python, "-c", crosses)...)
				target.Stderr = &errs
			}
			in, err := target.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := target.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			start(t, target)
			said := func(word string) {
				t.Helper()
				b := make([]byte, len(word)+1)
				if _, err := io.ReadFull(out, b); err != nil || string(b) != word+"\n" {
					t.Fatalf("%q, %v; want %s\n%s", b, err, word, &errs)
				}
			}
			said("ready")
			var tracer *exec.Cmd
			if mode == "attach" {
				tracer = attached(t, dir, &errs, target.Process.Pid, "-q", "--until-vsz", "60M")
				// The attach is complete when its space is written.
				until(t, "the space", func() bool {
					text, _ := os.ReadFile(filepath.Join(dir, "log.jsonl"))
					return bytes.Contains(text, []byte(`"type":"thread"`))
				})
			}
			io.WriteString(in, "\n")
			said("done")
			if tracer != nil {
				tracer.Process.Signal(syscall.SIGINT)
				tracer.Wait()
			}
			in.Close()
			target.Wait()
			text := errs.String()
			if n := strings.Count(text, "mapped, more than 60.0 MiB"); n != 2 || strings.Count(text, "mmap(NULL, 67108864") != 1 || strings.Count(text, "mmap(NULL, 100663296") != 1 {
				t.Errorf("told %d times:\n%s", n, text)
			}
			log := filepath.Join(dir, "log.jsonl")
			all := records(t, log)
			taken := map[int]int{}
			for _, s := range pick[*eventlog.Snapshot](all) {
				if s.Cause != "vsz" {
					continue
				}
				var mapped, rss uint64
				for _, m := range s.Mappings {
					mapped += uint64(m.End - m.Start)
					rss += m.RSS
				}
				if mapped <= 60<<20 || rss == 0 || !strings.Contains(text, fmt.Sprintf("(event %d)", s.After)) {
					t.Errorf("snapshot after event %d: %d bytes, %d resident; told:\n%s", s.After, mapped, rss, text)
				}
				taken[s.Space]++
			}
			// One for the child, one for the parent.
			first := pick[*eventlog.Space](all)
			child := first[len(first)-1].Space
			if taken[child] != 1 || taken[child-1] != 1 || len(taken) != 2 {
				t.Errorf("snapshots by space: %v; the child is %d", taken, child)
			}
		})
	}
}
