package eventlog

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a file of a test's directory.
func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func holds(t *testing.T, path string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s: %v: has %d bytes, want %d", path, err, len(got), len(want))
	}
}

// TestCreatePrivate: a log is its user's alone, whatever the umask.
func TestCreatePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}

// TestCreateKeepsEarlierLog: until an address space stands in the new log, the old one is as it was.
func TestCreateKeepsEarlierLog(t *testing.T) {
	header := &Header{Format: "vmblame", Version: 1}
	for _, end := range []string{"discard", "nothing"} {
		path := write(t, "a.jsonl", good(t))
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range []Record{header, &Note{Text: "x"}} {
			if err := w.Put(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		holds(t, path, good(t))
		if end == "discard" {
			if err := w.Discard(); err != nil {
				t.Error(err)
			}
			holds(t, path, good(t))
			continue
		}
		if err := w.Put(&Space{Space: 1}); err != nil {
			t.Fatal(err)
		}
		got, _ := os.ReadFile(path)
		if n := bytes.Count(got, []byte("\n")); n != 3 || !bytes.HasPrefix(got, []byte(headerStart)) {
			t.Errorf("%d lines: %s", n, got)
		}
		w.Close()
	}
}

// TestDiscard: what nothing was recorded into is as if it had never been opened.
func TestDiscard(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Put(&Header{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Discard(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there still: %v", err)
	}
	empty := write(t, "empty", nil)
	if w, err = Create(empty); err != nil {
		t.Fatal(err)
	}
	if err := w.Put(&Header{}); err != nil {
		t.Fatal(err)
	}
	w.Discard()
	holds(t, empty, nil)
}

func TestCreateNew(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "none"), link); err != nil {
		t.Fatal(err)
	}
	old := write(t, "old", good(t))
	for _, path := range []string{link, old} {
		if _, err := CreateNew(path); !errors.Is(err, os.ErrExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	holds(t, old, good(t))
	if _, err := Create(link); err == nil || !strings.Contains(err.Error(), "a link to a file that does not exist") {
		t.Errorf("a link to nothing: %v", err)
	}
}

// TestCreateBusy: two do not write one log.
func TestCreateBusy(t *testing.T) {
	path := write(t, "a.jsonl", good(t))
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(path); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second writer: %v", err)
	}
	w.Discard()
	if w, err = Create(path); err != nil {
		t.Fatalf("after it: %v", err)
	}
	w.Discard()
	holds(t, path, good(t))
}

// TestLogDeleted: it is told once, the writing goes on, and the end says it.
func TestLogDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.jsonl")
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	w.Put(&Header{Format: "vmblame", Version: 1})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); !errors.Is(err, ErrDeleted) {
		t.Errorf("first flush: %v", err)
	}
	if err := w.Flush(); err != nil {
		t.Errorf("second flush: %v", err)
	}
	w.Put(&End{Cause: "exit"})
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	text := make([]byte, 1<<16)
	n, _ := kept.Read(text)
	if lines := bytes.Split(text[:n], []byte("\n")); len(lines) != 3 || !bytes.Contains(lines[1], []byte(`"failed"`)) {
		t.Errorf("%s", text[:n])
	}
}

// TestLogTruncated: whatever is left ends whole, with what was lost.
func TestLogTruncated(t *testing.T) {
	for _, left := range []int64{0, 10, 400, -1} {
		path := filepath.Join(t.TempDir(), "a.jsonl")
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w.Put(&Header{Format: "vmblame", Version: 1, Mode: "run", Started: "2026-01-02T03:04:05Z", Host: Host{PageSize: 4096}})
		w.Put(&Space{Space: 1, PID: 1, Cause: "launch"})
		w.Put(&Thread{TID: 1, PID: 1, Space: 1, What: "start"})
		event := func(seq uint64) *Event {
			return &Event{Seq: seq, T: 1, Space: 1, PID: 1, TID: 1, Call: "brk", Args: Args{address("addr", 0)}, Error: "ENOMEM"}
		}
		for seq := range uint64(20) {
			w.Put(event(seq + 1))
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if left < 0 {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			f.WriteString("something else\n")
			f.Close()
		} else if err := os.Truncate(path, left); err != nil {
			t.Fatal(err)
		}
		w.Put(event(21))
		if err := w.Flush(); !errors.Is(err, ErrTruncated) {
			t.Fatalf("%d left: %v", left, err)
		}
		w.Put(event(22))
		w.Put(&End{T: 2, Cause: "exit", Exit: &Exit{}})
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		text, _ := os.ReadFile(path)
		if left == 0 || left == 10 {
			if len(text) != 0 {
				t.Errorf("%d left: %s", left, text)
			}
			continue
		}
		last := text[bytes.LastIndexByte(text[:len(text)-1], '\n')+1:]
		rec, err := new(decoder).decode(last)
		end, ok := rec.(*End)
		if !ok || end.Cause != "failed" || end.Events+end.Lost != 22 || uint64(bytes.Count(text, []byte(`"seq"`))) != end.Events {
			t.Errorf("%d left: %v: %+v\n%s", left, err, end, text)
		}
	}
}
