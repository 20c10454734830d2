package inspect

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// watched is memory_rows, which notices what is done to it.
type watched struct {
	pid   int
	stdin io.WriteCloser
	lines *bufio.Scanner
}

// says is what it noticed.
type says struct{ interrupted, resident, gap int64 }

func startWatched(t testing.TB, rows int) *watched {
	t.Helper()
	out := t.TempDir()
	if err := testenv.Programs(out, "memory_rows"); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(out, "memory_rows"), fmt.Sprint(rows))
	stdin, stdout := testenv.Waiting(t, cmd)
	w := &watched{cmd.Process.Pid, stdin, bufio.NewScanner(stdout)}
	if !w.lines.Scan() || w.lines.Text() != "ready" {
		t.Fatalf("said %q", w.lines.Text())
	}
	return w
}

func (w *watched) ask(t testing.TB) (s says) {
	t.Helper()
	fmt.Fprintln(w.stdin)
	if !w.lines.Scan() {
		t.Fatal("it ended")
	}
	if _, err := fmt.Sscanf(w.lines.Text(), "eintr %d resident %d gap %d", &s.interrupted, &s.resident, &s.gap); err != nil {
		t.Fatal(err)
	}
	return s
}

// rss is the line of smaps_rollup that tells what of no file is in memory: pages of files come and go with the page cache.
func rss(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(b), "Anonymous:")
	text, _, _ = strings.Cut(text, "\n")
	return text
}

func (w *watched) look(t testing.TB) int {
	t.Helper()
	l, err := OpenLive(w.pid)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return len(Look(&l.Process))
}

// TestLookLeavesNoTrace: looks stop nobody and bring no page in, by the word of the process itself and the kernel's.
func TestLookLeavesNoTrace(t *testing.T) {
	w := startWatched(t, 2000)
	w.ask(t) // what it needs to answer is in memory from now on
	said, kernel := w.ask(t), rss(t, w.pid)
	for range 20 {
		if w.look(t) == 0 {
			t.Fatal("nothing found")
		}
	}
	// What the kernel counts comes first: to answer, the process may need pages of its own.
	if now := rss(t, w.pid); now != kernel {
		t.Errorf("in memory:%s, before:%s", now, kernel)
	}
	if now := w.ask(t); now.interrupted != said.interrupted || now.resident != said.resident || said.resident != 251 {
		t.Errorf("it was stopped %d times and has %d pages, before %d and %d", now.interrupted, now.resident, said.interrupted, said.resident)
	}
}

// BenchmarkLook is a look at a process of so many rows, and the longest time that a busy thread of it stood still meanwhile,
// beside that of as long a time without.
func BenchmarkLook(b *testing.B) {
	for _, rows := range []int{30, 2000, 60000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			w := startWatched(b, rows)
			w.look(b)
			w.ask(b)
			for b.Loop() {
				w.look(b)
			}
			b.ReportMetric(float64(w.ask(b).gap)/1e6, "gap-ms")
		})
	}
}
