package e2e

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/testenv"
)

// waits starts a program of testdata that waits for its standard input to close, untraced, and returns its pid and what
// it said up to "ready".
func waits(t *testing.T, name string) (int, []string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(built.progs, name))
	_, stdout := testenv.Waiting(t, cmd)
	return cmd.Process.Pid, untilReady(t, stdout)
}

// untilReady returns the lines of a program up to "ready".
func untilReady(t *testing.T, r io.Reader) (said []string) {
	t.Helper()
	s := bufio.NewScanner(r)
	for s.Scan() && s.Text() != "ready" {
		said = append(said, s.Text())
	}
	if s.Text() != "ready" {
		t.Fatalf("it ended: %q", said)
	}
	return said
}

// TestMapAndAttachKnow: what a process had before anybody looked is told to the byte, by map and by attach alike: a
// stack ends where its control block says, though the kernel may show one row for it and its neighbour.
func TestMapAndAttachKnow(t *testing.T) {
	pid, said := waits(t, "memory_malloc")
	dir := t.TempDir()
	seen, attached := filepath.Join(dir, "map.jsonl"), filepath.Join(dir, "attach.jsonl")
	output(t, built.vmblame, "map", "-o", seen, strconv.Itoa(pid))
	output(t, built.vmblame, "attach", "-q", "--duration", "100ms", "-o", attached, strconv.Itoa(pid))
	for _, log := range []string{seen, attached} {
		output(t, built.vmblame, "check", log)
		var r analysis.Report
		if err := json.Unmarshal([]byte(output(t, built.vmblame, "report", "--json", log)), &r); err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		large := uint64(0)
		for _, m := range ranges(r.Processes[0].Holders) {
			if m.Kind == classify.ThreadStack && m.Confidence == classify.Certain {
				got[strconv.FormatUint(uint64(m.Start), 16)+" "+strconv.FormatUint(uint64(m.End), 16)] = true
			}
			if m.Kind == classify.GlibcLarge {
				large += uint64(m.End - m.Start)
			}
		}
		stacks := 0
		for _, line := range said {
			f := strings.Fields(line)
			switch f[0] {
			case "stack":
				stacks++
				if !got[f[2]+" "+f[3]] {
					t.Errorf("%s: no stack %s-%s: %v", log, f[2], f[3], got)
				}
			case "ended":
				stacks++
				if !got[f[1]+" "+f[2]] {
					t.Errorf("%s: no stack of the ended thread %s-%s: %v", log, f[1], f[2], got)
				}
			}
		}
		if len(got) != stacks || stacks != 4 {
			t.Errorf("%s: %d stacks, %d said", log, len(got), stacks)
		}
		if large != 10<<20+4*4096 {
			t.Errorf("%s: %d bytes of large allocations", log, large)
		}
	}
}

// TestMapAndAttachHold holds the answers of map and attach against what programs say themselves of their memory.
func TestMapAndAttachHold(t *testing.T) {
	for _, name := range []string{"attach_stack_end", "file_names"} {
		t.Run(name, func(t *testing.T) {
			pid, said := waits(t, name)
			seen, attached := filepath.Join(t.TempDir(), "map.jsonl"), filepath.Join(t.TempDir(), "attach.jsonl")
			output(t, built.vmblame, "map", "-o", seen, strconv.Itoa(pid))
			output(t, built.vmblame, "attach", "-q", "--duration", "100ms", "-o", attached, strconv.Itoa(pid))
			for _, log := range []string{seen, attached} {
				output(t, built.vmblame, "check", log)
				holdTruth(t, strings.Join(said, "\n"), output(t, built.vmblame, "report", "--json", log))
			}
		})
	}
}

func ranges(rows []analysis.Row) (list []analysis.Range) {
	for i := range rows {
		list = append(append(list, rows[i].Ranges...), ranges(rows[i].Parts)...)
	}
	return list
}

// TestMapRefuses: each refusal is one line that says what to do.
func TestMapRefuses(t *testing.T) {
	for word, want := range map[string]string{"999999999": "no such process", "no-program-has-this-name": "no process has that name"} {
		out, err := exec.Command(built.vmblame, "map", word).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) || strings.Count(string(out), "\n") != 1 {
			t.Errorf("map %s: %v, %q", word, err, out)
		}
	}
}
