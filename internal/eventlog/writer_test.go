package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// copyLog puts the records of a log of testdata into w.
func copyLog(t *testing.T, w *Writer) {
	t.Helper()
	r, err := Open("testdata/good.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Put(rec); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCreateWritesWhatWasPut(t *testing.T) {
	for _, name := range []string{"a.jsonl", "a.jsonl.zst"} {
		path := filepath.Join(t.TempDir(), name)
		w, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		copyLog(t, w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		lines, err := readAll(r)
		if err != io.EOF || strings.Join(lines, "") != string(good(t)) {
			t.Errorf("%s: %v:\n%s", name, err, strings.Join(lines, ""))
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if packed := string(raw[:4]) == zstdMagic; packed != strings.HasSuffix(name, ".zst") {
			t.Errorf("%s: compressed: %v", name, packed)
		}
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		if st.Blocks*512 > st.Size+endRoom {
			t.Errorf("%s: %d bytes occupy %d", name, st.Size, st.Blocks*512)
		}
	}
}

func TestCreateOverwritesOnlyLogs(t *testing.T) {
	dir := t.TempDir()
	var packed bytes.Buffer
	w := NewWriter(&packed, true)
	copyLog(t, w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	newer := bytes.Replace(good(t), []byte(`"version":1`), []byte(`"version":9`), 1)
	for _, tt := range []struct {
		name  string
		old   []byte
		fails bool
	}{
		{"empty", []byte{}, false},
		{"log", good(t), false},
		{"cut log", good(t)[:len(headerStart)+5], false},
		{"newer log", newer, false},
		{"compressed log", packed.Bytes(), false},
		{"text", []byte("precious\n"), true},
		{"json", []byte(`{"type":"header"}`), true},
		{"one byte", []byte("{"), true},
		{"something compressed", packed.Bytes()[:20], true},
	} {
		path := filepath.Join(dir, tt.name)
		if err := os.WriteFile(path, tt.old, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := Create(path)
		if tt.fails {
			if !errors.Is(err, ErrNotLog) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", tt.name, err)
			}
			if now, _ := os.ReadFile(path); !bytes.Equal(now, tt.old) {
				t.Errorf("%s: was overwritten", tt.name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		copyLog(t, w)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, good(t)) {
			t.Errorf("%s: is not the new log alone", tt.name)
		}
	}
	if _, err := Create(dir); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := Create(filepath.Join(dir, "none", "a")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
}

func TestCreateDeviceAndPipe(t *testing.T) {
	w, err := Create("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	copyLog(t, w)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte)
	go func() {
		b, _ := os.ReadFile(path)
		got <- b
	}()
	if w, err = Create(path); err != nil {
		t.Fatal(err)
	}
	copyLog(t, w)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if b := <-got; !bytes.Equal(b, good(t)) {
		t.Errorf("the pipe carried %d bytes", len(b))
	}
}

func TestWriterHeaderIsWrittenAtOnce(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, false)
	if err := w.Put(&Header{Format: "vmblame", Version: 1}); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(b.String(), headerStart) || !strings.HasSuffix(b.String(), "\n") {
		t.Errorf("written: %q", b.String())
	}
	if err := w.Put(&Note{}); err != nil {
		t.Fatal(err)
	}
	n := b.Len()
	if err := w.Flush(); err != nil || b.Len() == n {
		t.Errorf("Flush wrote %d bytes: %v", b.Len()-n, err)
	}
}

func TestWriterFullDevice(t *testing.T) {
	w, err := Create("/dev/full")
	if err != nil {
		t.Fatal(err)
	}
	first := w.Put(&Header{})
	if !errors.Is(first, syscall.ENOSPC) || first.Error() != "write /dev/full: no space left on device" {
		t.Fatalf("Put: %v", first)
	}
	if err := w.Put(&Note{}); err != first {
		t.Errorf("second Put: %v", err)
	}
	if err := w.Flush(); err != first {
		t.Errorf("Flush: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close says it again: %v", err)
	}
}

func TestWriterClosedPipe(t *testing.T) {
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pw.Close()
	pr.Close()
	w := NewWriter(pw, false)
	if err := w.Put(&Header{}); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Put: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("Close says it again: %v", err)
	}
}

// fillUp writes events until the destination takes no more, and returns what came of it.
func fillUp(t *testing.T, w *Writer) error {
	t.Helper()
	put := func(r Record) error { return w.Put(r) }
	err := put(&Header{Format: "vmblame", Version: 1, Mode: "run", Started: "2026-01-02T03:04:05Z", Host: Host{PageSize: 4096}})
	if err == nil {
		err = put(&Space{Space: 1, PID: 1, Cause: "launch"})
		put(&Thread{TID: 1, PID: 1, Space: 1, What: "start"})
		put(&Module{Module: 1, Path: "[anon]", Dev: "00:00"})
	}
	for i := 1; err == nil; i++ {
		if i > 1<<20 {
			t.Fatal("it is never full")
		}
		if i%100 == 1 {
			if err = put(&Stack{Stack: 1 + i/100, Frames: []Frame{{PC: 1, Module: 1, Offset: 1, Via: "pc"}}, End: "max-depth"}); err != nil {
				break
			}
		}
		// A packed chunk would be larger than the disk: write smaller ones, as the ticker's Flush does.
		if i%100 == 0 && w.enc != nil {
			if err = w.Flush(); err != nil {
				break
			}
		}
		// Arguments that compress badly.
		x := int64(uint64(i)*0x9e3779b97f4a7c15) >> 1
		err = put(&Event{Seq: uint64(i), T: int64(i), Space: 1, PID: 1, TID: 1, Call: "madvise", Args: Args{{Name: "addr", Value: x}, {Name: "length", Value: x * x}, {Name: "advice"}}, Result: &Result{}})
	}
	return err
}

// checkFailed holds the log at path against what a log that met its limit must be: whole, with an end
// line of cause "failed", and counts that are those of its lines.
func checkFailed(t *testing.T, path string) {
	t.Helper()
	var lost string
	err := CheckFile(path, func(p Problem) {
		if lost != "" || !strings.Contains(p.Text, "are lost") {
			t.Errorf("%v", p)
		}
		lost = p.Text
	})
	if err != nil {
		t.Error(err)
	}
	_, last := replayed(t, path, nil)
	if e := last.(*End); e.Cause != "failed" || e.Events == 0 || e.Lost == 0 || e.Checks != 5 || e.Exit == nil {
		t.Errorf("end: %+v", e)
	}
}

// smallDisk returns a directory in which a file cannot grow beyond some 100 KiB: a file system of that
// size or, where none may be mounted, a larger limit of this process.
func smallDisk(t *testing.T) (dir string, full error) {
	dir = t.TempDir()
	const size = 100 << 10
	if err := syscall.Mount("vmblame-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err == nil {
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		return dir, syscall.ENOSPC
	}
	limitFileSize(t, fileLimit)
	return dir, syscall.EFBIG
}

// fileLimit is more than what go test itself writes of this process into a file while the limit holds.
const fileLimit = 4 << 20

func limitFileSize(t *testing.T, size uint64) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Error(err)
		}
	})
}

func TestWriterFullDisk(t *testing.T) {
	for _, name := range []string{"log.jsonl", "log.jsonl.zst"} {
		t.Run(name, func(t *testing.T) {
			dir, full := smallDisk(t)
			failingLog(t, filepath.Join(dir, name), full)
		})
	}
}

func TestWriterFileSizeLimit(t *testing.T) {
	for _, name := range []string{"log.jsonl", "log.jsonl.zst"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			limitFileSize(t, fileLimit)
			failingLog(t, filepath.Join(dir, name), syscall.EFBIG)
		})
	}
}

func failingLog(t *testing.T, path string, want error) {
	t.Helper()
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	first := fillUp(t, w)
	if !errors.Is(first, want) || !strings.Contains(first.Error(), path) {
		t.Fatalf("it ended with %v, want %v", first, want)
	}
	code := 3
	if err := w.Put(&End{T: 1 << 40, Cause: "exit", Exit: &Exit{Code: &code}, Checks: 5}); err != first {
		t.Errorf("Put of the end: %v", err)
	}
	if err := w.Put(&Event{}); err != first {
		t.Errorf("Put of an event: %v", err)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines, err := readAll(r); !errors.Is(err, ErrCut) || len(lines) < 10 {
		t.Errorf("before Close: %d lines, %v", len(lines), err)
	}
	r.Close()
	if err := w.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if after, err := os.Stat(path); err != nil || after.Size() <= before.Size() {
		t.Errorf("Close wrote nothing: %v", err)
	}
	checkFailed(t, path)
}

func TestWriterConcurrentFlush(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, false)
	if err := w.Put(&Header{Format: "vmblame", Version: 1}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 1000 {
				if w.Put(&Note{Code: "x"}) != nil || w.Flush() != nil {
					t.Error("failed")
					return
				}
			}
		}()
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	if lines, err := readAll(r); err != ErrCut || len(lines) != 4001 {
		t.Errorf("%d lines: %v", len(lines), err)
	}
	if err := w.Put(&Note{}); err == nil {
		t.Error("Put after Close")
	}
}

func BenchmarkWriter(b *testing.B) {
	for _, packed := range []bool{false, true} {
		name := "plain"
		if packed {
			name = "zstd"
		}
		b.Run(name, func(b *testing.B) {
			w := NewWriter(io.Discard, packed)
			defer w.Close()
			e := hotEvent()
			b.ReportAllocs()
			for b.Loop() {
				e.Seq++
				e.T += 21347
				if err := w.Put(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
