package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// manyChildren is a program that makes more --live text than a pipe takes.
const manyChildren = "i=0; while [ $i -lt 60 ]; do /bin/true; i=$((i+1)); done; exit 7"

// stalled is a pipe that nobody reads.
func stalled(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return w
}

// TestStalledStandardError: nobody reads --live, and neither the program nor its end waits for it.
func TestStalledStandardError(t *testing.T) {
	dir := t.TempDir()
	cmd := command(t, dir, "run", "--live", "-o", "log.jsonl", "sh", "-c", manyChildren)
	cmd.Stderr = stalled(t)
	start(t, cmd)
	cmd.Wait()
	resultOf(t, cmd, "", "").wants(t, 7)
	records(t, filepath.Join(dir, "log.jsonl"))
}

// TestStalledEnds: attach, whose --live nobody reads, ends by every signal that ends it.
func TestStalledEnds(t *testing.T) {
	storm := build(t, "storm")
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP}[:testenv.Often(1, 3)] {
		t.Run(s.String(), func(t *testing.T) {
			dir := t.TempDir()
			target := background(t, filepath.Join(storm, "storm"), "2", "0", "1").Process.Pid
			cmd := command(t, dir, "attach", "--live", "-o", "log.jsonl", strconv.Itoa(target))
			cmd.Stderr = stalled(t)
			start(t, cmd)
			log := filepath.Join(dir, "log.jsonl")
			until(t, "a log longer than the text that waits", func() bool {
				st, err := os.Stat(log)
				return err == nil && st.Size() > 3*textWaiting
			})
			if err := cmd.Process.Signal(s); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			resultOf(t, cmd, "", "").wants(t, 0)
			if got := tracerOf(target); got != "0" {
				t.Errorf("TracerPid is %s", got)
			}
			records(t, log)
		})
	}
}

// fifo makes a pipe with a name that is open for reading.
func fifo(t *testing.T) (string, *os.File) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return path, r
}

// TestStalledLog: nobody reads the log, and the program goes on to its own end.
func TestStalledLog(t *testing.T) {
	path, _ := fifo(t)
	r := vmblame(t, "", "run", "-o", path, "sh", "-c", manyChildren)
	r.wants(t, 7, "the log is incomplete", path, errSlow.Error(), "the program goes on")
}

// TestSlowLog: a log whose reader wakes up too late ends whole, and says how much it lacks.
func TestSlowLog(t *testing.T) {
	path, r := fifo(t)
	var said bytes.Buffer
	l, err := openLog(path, 0, 0, &said)
	if err != nil {
		t.Fatal(err)
	}
	l.Put(&eventlog.Header{Format: "vmblame", Version: 1, Mode: "run", Started: "2026-01-02T03:04:05Z", Host: eventlog.Host{PageSize: 4096}})
	l.Put(&eventlog.Space{Space: 1, PID: 1, Cause: "launch"})
	l.Put(&eventlog.Thread{TID: 1, PID: 1, Space: 1, What: "start"})
	args := eventlog.Args{{Name: "addr", Text: strings.Repeat("x", 4000)}}
	const events = mostWaiting / 4000 * 2
	for seq := range uint64(events) {
		l.Put(&eventlog.Event{Seq: seq + 1, Space: 1, PID: 1, TID: 1, Call: "brk", Args: args, Error: "ENOMEM"})
	}
	code := 0
	l.Put(&eventlog.End{Cause: "exit", Exit: &eventlog.Exit{Code: &code}, Events: events})
	got := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(r)
		got <- text
	}()
	if l.close() {
		t.Error("the log says that it took everything")
	}
	if n := strings.Count(said.String(), "incomplete"); n != 1 {
		t.Errorf("it is said %d times: %s", n, said.String())
	}
	var problems []string
	text := <-got
	err = eventlog.Check(bytes.NewReader(text), func(p eventlog.Problem) { problems = append(problems, p.Text) })
	if err != nil || len(problems) != 1 || !strings.Contains(problems[0], "are lost") {
		t.Errorf("%v: %v", err, problems)
	}
	log, err := eventlog.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var last eventlog.Record
	for rec, err := log.Next(); err == nil; rec, err = log.Next() {
		last = rec
	}
	if end, ok := last.(*eventlog.End); !ok || end.Cause != "failed" || end.Events+end.Lost != events || end.Lost == 0 {
		t.Errorf("the end: %+v", last)
	}
}
