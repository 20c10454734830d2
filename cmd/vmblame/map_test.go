package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/record"
)

// TestMapIsItsLog: what map answers is what report says of the log that map writes, of a file, too, whose name is not UTF-8.
func TestMapIsItsLog(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "caf\xe9")
	if err := os.WriteFile(name, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := unix.Mmap(int(f.Fd()), 0, 1<<20, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Munmap(b) }()
	records, err := record.Map(os.Getpid(), "test")
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	if err := writeRecords(log, records); err != nil {
		t.Fatal(err)
	}
	for _, by := range []analysis.By{analysis.ByKind, analysis.ByFile, analysis.ByThread} {
		o := analysis.ReportOptions{By: by}
		direct, err := reportOf(records, o)
		if err != nil {
			t.Fatal(err)
		}
		s, err := analysis.Load(func() (*eventlog.Reader, error) { return eventlog.Open(log) }, analysis.Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, want := plain(t, direct), plain(t, s.Report(o))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("by %s: map says\n%v\nits log\n%v", by, got, want)
		}
	}
}

// plain is an answer as its readers have it.
func plain(t *testing.T, answer any) (v any) {
	t.Helper()
	b, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
