package eventlog

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// unfinishedLog writes a log that lacks the name of a frame, and returns it with the name.
func unfinishedLog(t *testing.T, path string) (*Unfinished, []Record) {
	t.Helper()
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	src, err := NewReader(bytes.NewReader(good(t)))
	if err != nil {
		t.Fatal(err)
	}
	var names []Record
	var u *Unfinished
	for {
		rec, err := src.Next()
		if err != nil {
			break
		}
		switch r := rec.(type) {
		case *Symbol:
			c := *r
			names = append(names, &c)
			continue
		case *End:
			if !w.MayLackNames() {
				t.Fatal("this file system has no such locks")
			}
			if u, err = w.Unfinished(); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Put(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil || u == nil || len(names) == 0 {
		t.Fatalf("%v, %d names", err, len(names))
	}
	return u, names
}

// symbols checks a log and counts its names. It does not wait for any.
func symbols(t *testing.T, path string) int {
	t.Helper()
	r, err := OpenAsIs(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Check(func(p Problem) { t.Errorf("%s: %v", filepath.Base(path), p) }); err != nil {
		t.Fatal(err)
	}
	again, err := OpenAsIs(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	n := 0
	for {
		rec, err := again.Next()
		if err != nil {
			return n
		}
		if rec.Type() == "symbol" {
			n++
		}
	}
}

// TestUnfinished: a log whose names come after its end is whole before and after them; who reads it by its path, or would write to it, waits for them, and a process
// that is to find them and dies leaves it as it is.
func TestUnfinished(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		path := filepath.Join(t.TempDir(), name)
		u, names := unfinishedLog(t, path)
		if n := symbols(t, path); n != 0 {
			t.Errorf("%d names before they came", n)
		}
		told, opened := make(chan struct{}), make(chan *Reader)
		go func() {
			f, err := os.Open(path)
			if err != nil {
				t.Error(err)
			}
			defer f.Close()
			if !AwaitNames(f, func() { close(told) }) {
				t.Error("they did not come")
			}
			r, err := Open(path)
			if err != nil {
				t.Error(err)
			}
			opened <- r
		}()
		<-told
		if err := u.Finish(names); err != nil {
			t.Fatal(err)
		}
		(<-opened).Close()
		if n := symbols(t, path); n != len(names) {
			t.Errorf("%d names, want %d", n, len(names))
		}

		u, _ = unfinishedLog(t, path)
		created := make(chan error)
		go func() {
			w, err := Create(path)
			if err == nil {
				err = w.Discard()
			}
			created <- err
		}()
		u.File.Close()
		if err := <-created; err != nil {
			t.Error(err)
		}
		if n := symbols(t, path); n != 0 {
			t.Errorf("%d names", n)
		}
	}
}
