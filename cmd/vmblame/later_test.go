package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// slowServer is a server of debug files that has none, and that does not say so before answer is called. asked gets a value when it
// is asked for one.
func slowServer(t *testing.T) (url string, asked <-chan struct{}, answer func()) {
	t.Helper()
	requests, answered := make(chan struct{}, 1), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case requests <- struct{}{}:
		default:
		}
		select {
		case <-answered:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	return server.URL, requests, func() { close(answered) }
}

// namerOf returns the process that names the rest of a log.
func namerOf(t *testing.T, log string) int {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	want := namerName + "\x00" + log + "\x00"
	for _, dir := range dirs {
		if line, err := os.ReadFile(dir + "/cmdline"); err == nil && string(line) == want {
			pid, _ := strconv.Atoi(filepath.Base(dir))
			return pid
		}
	}
	t.Fatal("no process names the rest")
	return 0
}

// undebugged builds a program in which a function hidden maps memory, with a symbol table and no debugging information.
func undebugged(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program+".c", []byte(mapper), 0o644); err != nil {
		t.Fatal(err)
	}
	tool(t, "gcc", "-O1", "-Wl,--build-id", "-o", program, program+".c")
	return program
}

// hidden reports whether a log names the function that maps memory, and returns how the program ended. It does not wait for names.
func hidden(t *testing.T, log string) (named bool, end *eventlog.Exit) {
	t.Helper()
	r, err := eventlog.OpenAsIs(log)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err != nil {
			return named, end
		}
		switch rec := rec.(type) {
		case *eventlog.Symbol:
			named = named || rec.Frames[0].Function == "hidden"
		case *eventlog.End:
			end = rec.Exit
		}
	}
}

// TestNamesLater: the exit status does not wait for names that take long. The log is whole all the while, and whoever reads it
// waits for them, or has them in the end.
func TestNamesLater(t *testing.T) {
	program := undebugged(t)
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		url, asked, answer := slowServer(t)
		dir := t.TempDir()
		log := filepath.Join(dir, name)
		vmblame(t, dir, "run", "-q", "-o", log, "--debuginfod="+url, "--", "sh", "-c", program+"; exit 7").wants(t, 7)
		<-asked
		if named, end := hidden(t, log); named || end == nil || end.Code == nil || *end.Code != 7 {
			t.Errorf("%s: named %v, it ends with %v", name, named, end)
		}
		report := command(t, dir, "report", log)
		stderr, err := report.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		start(t, report)
		said := make([]byte, 4096)
		n, _ := stderr.Read(said)
		if !strings.Contains(string(said[:n]), "its names are still being looked up: waiting") {
			t.Errorf("report says %q", said[:n])
		}
		answer()
		rest, _ := io.ReadAll(stderr)
		if err := report.Wait(); err != nil {
			t.Errorf("report: %v: %s", err, rest)
		}
		records(t, log)
		if named, end := hidden(t, log); !named || *end.Code != 7 {
			t.Errorf("%s: named %v, it ends with %v", name, named, end)
		}
	}
}

// TestNamesLaterKilled: a log whose names nobody finds any more is whole, and may be named afterwards.
func TestNamesLaterKilled(t *testing.T) {
	url, asked, answer := slowServer(t)
	defer answer()
	dir := t.TempDir()
	log := filepath.Join(dir, "a.jsonl")
	vmblame(t, dir, "run", "-q", "-o", log, "--debuginfod="+url, "--", undebugged(t)).wants(t, 0)
	<-asked
	if err := syscall.Kill(namerOf(t, log), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	records(t, log)
	if named, _ := hidden(t, log); named {
		t.Error("named although nobody was there to do it")
	}
	vmblame(t, dir, "symbolize", log).wants(t, 0)
	if named, _ := hidden(t, log); !named {
		t.Error("not named afterwards")
	}
}

// TestNamesInPipe: a log that goes to a pipe has its names before vmblame ends.
func TestNamesInPipe(t *testing.T) {
	url, asked, answer := slowServer(t)
	dir := t.TempDir()
	fifo := filepath.Join(dir, "log")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	run := command(t, dir, "run", "-q", "-o", fifo, "--debuginfod="+url, "--", undebugged(t))
	start(t, run)
	f, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	<-asked
	answer()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Wait(); err != nil {
		t.Error(err)
	}
	lines := slices.Collect(bytes.Lines(text))
	if len(lines) < 2 || !bytes.HasPrefix(lines[len(lines)-1], []byte(`{"type":"end"`)) || !bytes.Contains(text, []byte(`"function":"hidden"`)) {
		t.Errorf("%d lines, without end or names", len(lines))
	}
	if err := eventlog.Check(bytes.NewReader(text), func(p eventlog.Problem) { t.Error(fmt.Sprint(p)) }); err != nil {
		t.Error(err)
	}
}

// TestNamesFirstProcess: where vmblame is the first process of a container nothing can come after its end.
func TestNamesFirstProcess(t *testing.T) {
	testenv.Need(t, "root", "unshare")
	url, asked, answer := slowServer(t)
	dir := t.TempDir()
	log := filepath.Join(dir, "a.jsonl")
	testenv.Need(t, "ptrace")
	run := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", binary, "run", "-q", "-o", log, "--debuginfod="+url, "--", undebugged(t))
	start(t, run)
	<-asked
	answer()
	if err := run.Wait(); err != nil {
		t.Fatal(err)
	}
	if named, _ := hidden(t, log); !named {
		t.Error("not named")
	}
}
