package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/testenv"
	"github.com/vmblame/vmblame/internal/text"
)

// A screen is a terminal of tmux in which vmblame runs.
type screen struct {
	t             *testing.T
	socket        string
	width, height int
}

// newScreen runs vmblame in a terminal of a size, and says "over STATUS" there when it has ended.
func newScreen(t *testing.T, dir string, width, height int, args ...string) *screen {
	t.Helper()
	testenv.Need(t, "tmux")
	s := &screen{t, filepath.Join(t.TempDir(), "tmux"), width, height}
	settings := filepath.Join(filepath.Dir(s.socket), "settings")
	if err := os.WriteFile(settings, []byte("set -g status off\nset -g default-terminal screen-256color\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// What a watch that is killed leaves behind goes with the test; it may still be written to.
	temporary, err := os.MkdirTemp("", "vmblame-watch-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(temporary) })
	words := []string{"NO_COLOR=1", "TMPDIR=" + quote(temporary), quote(binary)}
	for _, a := range args {
		words = append(words, quote(a))
	}
	line := strings.Join(words, " ") + "; echo over $?; read x"
	s.tmux("-f", settings, "-u", "new-session", "-d", "-c", dir, "-x", strconv.Itoa(width), "-y", strconv.Itoa(height), "/bin/sh", "-c", line)
	t.Cleanup(func() {
		_ = exec.Command("tmux", "-S", s.socket, "kill-server").Run()
	})
	return s
}

// tmux runs a command of tmux and returns what it prints.
func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=xterm-256color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

func (s *screen) keys(keys ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, keys...)...)
}

func (s *screen) text() string {
	s.t.Helper()
	return s.tmux("capture-pane", "-p")
}

// shows waits until the screen fits an expression, and returns it.
func (s *screen) shows(expression string) string {
	s.t.Helper()
	r := regexp.MustCompile(expression)
	last := ""
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if last = s.text(); r.MatchString(last) {
			return last
		}
	}
	s.t.Fatalf("no screen with %s:\n%s", expression, last)
	return last
}

// ends presses q, waits for the end of vmblame, and fails unless its status is 0 and nothing is left of its screen.
func (s *screen) ends() {
	s.t.Helper()
	s.keys("q")
	if left := s.shows(`(?m)^over \d+$`); !strings.Contains(left, "over 0\n") || strings.Contains(left, "ADDRESSES") {
		s.t.Errorf("at the end:\n%s", left)
	}
}

// TestWatchLog: a log is shown at three sizes, from its processes down to the history of a mapping, at its end and before.
func TestWatchLog(t *testing.T) {
	log := recordCase(t, build(t, "case"), "case.jsonl", "MALLOC_ARENA_MAX=8").log
	dir := filepath.Dir(log)
	var end, start analysis.Report
	answerOf(t, &end, "report", log)
	answerOf(t, &start, "report", log+"@start")
	at := rangesOf(&end, "glibc-arena")
	for _, size := range [][2]int{{60, 12}, {100, 24}, {200, 50}} {
		t.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(t *testing.T) {
			s := newScreen(t, dir, size[0], size[1], "watch", "case.jsonl")
			// Once the past is there, growth counts from its beginning.
			grown := text.Style{}.Change(at[0].Bytes + at[1].Bytes)
			first := s.shows(regexp.QuoteMeta(text.Size(end.Processes[0].Total.Reserved)) + `(.|\n)*` + regexp.QuoteMeta(grown) + ` .*glibc ma`)
			if n := strings.Count(first, "\n"); n != size[1] {
				t.Errorf("%d lines, the terminal has %d", n, size[1])
			}
			for _, p := range end.Processes[0].Holders[:5] {
				if !strings.Contains(first, text.Size(p.Reserved)+" ") {
					t.Errorf("%s of %s is not shown:\n%s", text.Size(p.Reserved), p.Label, first)
				}
			}
			s.keys("Enter")
			s.shows(fmt.Sprintf("%x", uint64(at[1].Start)))
			s.keys("Enter")
			s.shows(`in pid \d+ case: glibc malloc arena`)
			s.keys("End")
			s.shows(`now: glibc malloc arena`) // the history's last line
			s.keys("BSpace", "BSpace")
			s.shows(`by kind`)
			s.keys("g")
			s.shows(regexp.QuoteMeta(text.Size(start.Processes[0].Total.Reserved)) + ` map`)
			s.keys("G")
			s.shows(`ended.*` + regexp.QuoteMeta(text.Size(end.Processes[0].Total.Reserved)) + ` map`)
			s.keys("/", "stack", "Enter")
			if filtered := s.shows(`filter stack`); strings.Contains(filtered, "jemalloc") {
				t.Errorf("the filter lets pass:\n%s", filtered)
			}
			s.keys("/", "Escape")
			s.shows(`jemalloc`)
			s.keys("s")
			s.shows(`sorted by growth`)
			s.keys("b")
			s.shows(`by function`)
			s.keys("Escape")
			s.shows(`processes, by`)
			s.ends()
		})
	}
	if got := regexpCount(t, dir, `^vmblame\.watch\.`); got != 0 {
		t.Errorf("%d files were written unasked", got)
	}
}

func regexpCount(t *testing.T, dir, expression string) (n int) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if regexp.MustCompile(expression).MatchString(e.Name()) {
			n++
		}
	}
	return n
}

// TestWatchWrites: w writes what report --json says of the moment that is shown.
func TestWatchWrites(t *testing.T) {
	log, dir := mustAbs(t, sampleLog), t.TempDir()
	s := newScreen(t, dir, 120, 30, "watch", log)
	s.shows(`\[ended\]`)
	s.shows(`by kind`)
	s.keys("w")
	file := regexp.MustCompile(`written to (\S+)`).FindStringSubmatch(s.shows(`written to \S+`))[1]
	got, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	var a, b analysis.Report
	if err := json.Unmarshal(got, &a); err != nil {
		t.Fatal(err)
	}
	answerOf(t, &b, "report", log)
	for _, r := range []*analysis.Report{&a, &b} {
		r.Nameless = nil // report adds what this machine would have of their names
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	if string(x) != string(y) {
		t.Errorf("written:\n%s\nreport:\n%s", x, y)
	}
	s.ends()
}

// onDemand is a running program that maps 1 MiB for each byte that it is sent.
func onDemand(t *testing.T, progs string) (cmd *exec.Cmd, more io.Writer) {
	t.Helper()
	cmd = exec.Command(filepath.Join(progs, "on_demand"))
	w, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	return cmd, w
}

func send(t *testing.T, w io.Writer, n int) {
	t.Helper()
	if _, err := w.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
}

// TestWatchProcess: of a running process growth is seen as it happens, with its stack, and what of it is resident; q lets go
// of it.
func TestWatchProcess(t *testing.T) {
	testenv.Need(t, "attach")
	cmd, more := onDemand(t, build(t, "on_demand"))
	pid := strconv.Itoa(cmd.Process.Pid)
	s := newScreen(t, t.TempDir(), 120, 20, "watch", pid)
	s.shows(`on_demand by kind`)
	if tracerOf(cmd.Process.Pid) == "0" {
		t.Error("it is not traced")
	}
	send(t, more, 40)
	s.shows(`40\.0 MiB +40\.0 MiB +20\.0 MiB +\+40\.0 MiB .* take_one < main`)
	s.keys("Enter")
	s.shows(`THREAD`)
	s.keys("Enter")
	s.shows(`512 KiB resident`)
	s.shows(`take_one`)
	s.keys("Escape", "Escape") // in one, as a quick hand has them
	s.shows(`by kind`)
	s.keys("Space")
	s.shows(`\[paused\]`)
	send(t, more, 10)
	s.shows(`40\.0 MiB +40\.0 MiB .* take_one`)
	s.keys("Space")
	s.shows(`50\.0 MiB +50\.0 MiB .* take_one`)
	s.ends()
	if tracer := tracerOf(cmd.Process.Pid); tracer != "0" {
		t.Errorf("it is still traced by %s", tracer)
	}
	send(t, more, 1) // it runs on
}

// TestWatchKilled: a watch that is killed takes nobody with it.
func TestWatchKilled(t *testing.T) {
	testenv.Need(t, "attach")
	cmd, more := onDemand(t, build(t, "on_demand"))
	s := newScreen(t, t.TempDir(), 100, 20, "watch", strconv.Itoa(cmd.Process.Pid))
	s.shows(`on_demand by kind`)
	recorder, err := strconv.Atoi(tracerOf(cmd.Process.Pid))
	if err != nil || recorder == 0 {
		t.Fatal("it is not traced")
	}
	watcher, err := strconv.Atoi(statusLine(recorder, "PPid"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(watcher, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "the end of the recording", func() bool { return tracerOf(cmd.Process.Pid) == "0" })
	send(t, more, 1)
}

// TestWatchByMap: a process that may not be traced, since somebody else does, is watched by map.
func TestWatchByMap(t *testing.T) {
	testenv.Need(t, "attach")
	cmd, more := onDemand(t, build(t, "on_demand"))
	pid := strconv.Itoa(cmd.Process.Pid)
	other := command(t, "", "attach", "-q", "-o", "log.jsonl", pid)
	start(t, other)
	until(t, "another tracer", func() bool { return tracerOf(cmd.Process.Pid) != "0" })
	s := newScreen(t, t.TempDir(), 100, 20, "watch", pid)
	s.shows(`\(by map\)`)
	send(t, more, 30)
	s.shows(`\+30\.0 MiB`)
	s.ends()
	s.shows(`watching by map`)
}

// TestWatchRecording: a recording that another vmblame makes is followed to its end.
func TestWatchRecording(t *testing.T) {
	dir, progs := t.TempDir(), build(t, "on_demand")
	r := command(t, dir, "run", "-q", "-o", "log.jsonl", "--", filepath.Join(progs, "on_demand"))
	more, err := r.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, r)
	log := filepath.Join(dir, "log.jsonl")
	until(t, "a log", func() bool { return hasSpace(log) })
	s := newScreen(t, dir, 100, 20, "watch", "log.jsonl")
	s.shows(`on_demand by kind`)
	send(t, more, 25)
	if s.shows(`25\.0 MiB .*take_one`); strings.Contains(s.text(), "[ended]") {
		t.Error("it is said to have ended")
	}
	more.Close()
	s.shows(`\[ended\]`)
	s.ends()
}

// TestWatchUsage: without a terminal, and of what is not there, watch says so.
func TestWatchUsage(t *testing.T) {
	vmblame(t, "", "watch", mustAbs(t, sampleLog)).wants(t, 2, "not a terminal")
	s := newScreen(t, t.TempDir(), 100, 20, "watch", "no-such-process")
	s.shows(`no process has that name(.|\n)*over 1`)
	s = newScreen(t, t.TempDir(), 100, 20, "watch", "--map", mustAbs(t, sampleLog))
	s.shows(`is a log(.|\n)*over 2`)
}
