package e2e

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/testenv"
)

// kindsFlag has TestTruth hold all programs that the machine has.
var kindsFlag = flag.String("kinds", "", "hold the kinds of all programs of the machine against others' word, and print the `TABLE` of docs/kinds.md: table, or notes for each range that is not right, too")

// A subject is a program whose memory others know, too.
type subject struct {
	name  string
	needs []string
	small bool // for every go test
	many  bool // of those, where CI is set
	argv  func(w *world) []string
	env   []string
	// ask is repeated until it succeeds, which says that the program is at rest; nil waits for its line "ready".
	ask func(w *world) (string, error)
	// more are the processes that are judged beside the first one.
	more func(w *world) []int
	// truth adds to what is true of every program.
	truth func(h *truth, w *world)
}

// world is a program that runs: where, and what it said.
type world struct {
	t    *testing.T
	dir  string
	pid  int
	said []string
	text string // what ask answered
}

// stderr is what the program wrote to standard error.
func (w *world) stderr() string {
	text, _ := os.ReadFile(filepath.Join(w.dir, "stderr"))
	return string(text)
}

// figure is a row of the table.
type figure struct {
	program, by string
	tally
}

// TestTruth holds what vmblame says that memory is, by run, by attach and by map, against what others say of it: nothing
// that it is sure of may be wrong. make kinds prints the table.
func TestTruth(t *testing.T) {
	t.Parallel()
	testenv.Need(t, "root", "gdb", "libc6-dbg", "attach")
	var table []figure
	for _, s := range subjects {
		if (!s.small || s.many && !testenv.CI()) && *kindsFlag == "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			if s.small {
				testenv.Need(t, s.needs...)
			} else {
				testenv.Optional(t, s.needs...)
			}
			table = append(table, hold(t, s)...)
		})
	}
	if *kindsFlag != "" {
		printTable(table)
	}
}

// printTable prints the table of docs/kinds.md: processes of one name are one row.
func printTable(table []figure) {
	var names []string
	sums := map[string]tally{}
	for _, f := range table {
		if !slices.Contains(names, f.program) {
			names = append(names, f.program)
		}
		sums[f.program+f.by] = sums[f.program+f.by].plus(f.tally)
	}
	fmt.Printf("\n| program | accessible | by map | by attach | by run | wrong |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, name := range names {
		var all tally
		row := ""
		for _, by := range []string{"map", "attach", "run"} {
			j := sums[name+by]
			all = all.plus(j)
			row += fmt.Sprintf(" | %s / %s / %s", share(j.right, j.usable), share(j.unknown, j.usable), share(j.unjudged, j.usable))
		}
		fmt.Printf("| %s | %.1f MiB%s | %d |\n", name, float64(sums[name+"map"].usable)/(1<<20), row, all.wrong)
	}
}

// share is a part in percent.
func share(n, of uint64) string { return fmt.Sprintf("%.2f", 100*float64(n)/float64(max(of, 1))) }

// known is a process with what others say of it.
type known struct {
	*truth
	name string
}

// hold starts a subject alone for map and attach, and once more under run.
func hold(t *testing.T, s subject) (rows []figure) {
	t.Helper()
	look := func(w *world) (list []known) {
		for i, pid := range s.processes(w) {
			h := newTruth(t, pid)
			if s.truth != nil {
				s.truth(h, w)
			}
			name := s.name
			if i > 0 {
				name += ", " + role(pid)
			}
			list = append(list, known{h, name})
		}
		return list
	}
	judge := func(by string, h known, answer string) {
		var r analysis.Report
		if err := json.Unmarshal([]byte(answer), &r); err != nil {
			t.Fatal(err)
		}
		var list []analysis.Range
		for i := range r.Processes {
			if r.Processes[i].PID == h.pid {
				list = append(list, ranges(r.Processes[i].Holders)...)
			}
		}
		var notes strings.Builder
		j := h.judge(list, func(format string, args ...any) { fmt.Fprintf(&notes, format+"\n", args...) })
		t.Logf("%s by %s: %d bytes accessible, %s %% right, %s %% unknown, %s %% not judged, %d wrong", h.name, by, j.usable, share(j.right, j.usable), share(j.unknown, j.usable), share(j.unjudged, j.usable), j.wrong)
		if j.wrong > 0 || j.right == 0 {
			t.Errorf("%s by %s is wrong", h.name, by)
		}
		if j.wrong > 0 || *kindsFlag == "notes" {
			t.Log("\n" + notes.String())
		}
		rows = append(rows, figure{h.name, by, j})
	}

	w, end := s.start(t)
	for _, h := range look(w) {
		judge("map", h, output(t, built.vmblame, "map", "--json", strconv.Itoa(h.pid)))
	}
	for _, h := range look(w) {
		log := filepath.Join(t.TempDir(), "attach.jsonl")
		duration := "300ms"
		if *kindsFlag != "" { // of browsers, on a busy machine, a look takes seconds
			duration = "5s"
		}
		output(t, built.vmblame, "attach", "-q", "--duration", duration, "-o", log, strconv.Itoa(h.pid))
		judge("attach", h, output(t, built.vmblame, "report", "--json", log))
	}
	end()

	log := filepath.Join(t.TempDir(), "run.jsonl")
	w, end = s.start(t, built.vmblame, "run", "-q", "-o", log, "--")
	list := look(w)
	end() // a kill unmaps nothing that the log would show
	for _, h := range list {
		judge("run", h, output(t, built.vmblame, "report", "--json", "--pid", strconv.Itoa(h.pid), log))
	}
	return rows
}

// processes are those that are judged.
func (s *subject) processes(w *world) []int {
	pids := []int{w.pid}
	if s.more != nil {
		pids = append(pids, s.more(w)...)
	}
	return pids
}

// role tells processes of one program apart.
func role(pid int) string {
	for a := range strings.FieldsSeq(strings.Join(procfs.Cmdline(pid), " ")) {
		if v, ok := strings.CutPrefix(a, "--type="); ok {
			return v
		}
	}
	return "child"
}

// start starts the program, by a command or alone, and waits until it is at rest. end kills it, with all that it
// started.
func (s *subject) start(t *testing.T, by ...string) (w *world, end func()) {
	t.Helper()
	w = &world{t: t, dir: t.TempDir()}
	argv := append(by, s.argv(w)...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), s.env...)
	cmd.Dir = w.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := os.Create(filepath.Join(w.dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stderr = stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		root := cmd.Process.Pid
		for _, pid := range append(descendants(root), root) {
			if pid != root || len(by) == 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		stdin.Close()
		go io.Copy(io.Discard, stdout)
		_ = cmd.Wait()
	}
	t.Cleanup(end)
	if s.ask == nil {
		in := bufio.NewScanner(stdout)
		in.Buffer(nil, 1<<20)
		for in.Scan() && in.Text() != "ready" {
			w.said = append(w.said, in.Text())
		}
		if in.Text() != "ready" {
			t.Fatalf("%v ended: %q, %s", argv, w.said, w.stderr())
		}
	}
	until := time.Now().Add(patience)
	for w.pid == 0 {
		switch list := descendants(cmd.Process.Pid); {
		case len(by) == 0:
			w.pid = cmd.Process.Pid
		case len(list) > 0 && procfs.Exe(list[0]) != built.vmblame:
			w.pid = list[0]
		case time.Now().After(until):
			t.Fatalf("%v has no child", argv)
		}
	}
	for s.ask != nil {
		if w.text, err = s.ask(w); err == nil {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("%v does not answer: %v\n%s", argv, err, w.stderr())
		}
		time.Sleep(50 * time.Millisecond)
	}
	return w, end
}

// descendants lists the children of a process, each with its own behind it.
func descendants(pid int) (list []int) {
	for _, p := range procfs.Processes() {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p))
		_, rest, _ := strings.Cut(string(text), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(pid) {
			list = append(append(list, p), descendants(p)...)
		}
	}
	return list
}
