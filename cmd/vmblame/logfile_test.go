package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestRefusalKeepsTheLog: a recording that does not come about leaves the log of an earlier one as it was, and
// none where there was none.
func TestRefusalKeepsTheLog(t *testing.T) {
	dir := t.TempDir()
	pid := sleeper(t)
	var errs bytes.Buffer
	attached(t, dir, &errs, pid)
	foreign := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00") // AArch64
	for name, text := range map[string][]byte{"foreign": foreign, "script": []byte("#!/no/such/interpreter\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	old := filepath.Join(dir, "old.jsonl")
	r := vmblame(t, dir, "run", "-q", "-o", old, "true")
	r.wants(t, 0)
	records(t, old) // waits for its names
	want, err := os.ReadFile(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"attach", strconv.Itoa(pid)}, {"attach", "4194303"}, {"run", "./foreign"}, {"run", "./script"}, {"run", "./none"},
	} {
		for _, log := range []string{old, filepath.Join(dir, "new.jsonl")} {
			r := vmblame(t, dir, append([]string{args[0], "-o", log}, args[1:]...)...)
			if r.status == 0 {
				t.Errorf("%v: status 0", args)
			}
			if got, err := os.ReadFile(log); log == old && !bytes.Equal(got, want) {
				t.Errorf("%v: the earlier log is another: %v", args, err)
			} else if log != old && err == nil {
				t.Errorf("%v: leaves a log of %d bytes", args, len(got))
			}
		}
	}
	r = vmblame(t, dir, "run", "-o", "log.jsonl", "true")
	r.wants(t, 125, "log.jsonl", "another vmblame is writing it")
}

// TestDefaultLogName: a name that vmblame chooses is never one that exists, not even as a link.
func TestDefaultLogName(t *testing.T) {
	dir := t.TempDir()
	pid := sleeper(t)
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("precious", filepath.Join(dir, fmt.Sprintf("vmblame.%d.jsonl", pid))); err != nil {
		t.Fatal(err)
	}
	for n := 2; n <= 3; n++ {
		r := vmblame(t, dir, "attach", "--duration", "10ms", strconv.Itoa(pid))
		name := fmt.Sprintf("vmblame.%d.%d.jsonl", pid, n)
		r.wants(t, 0, name)
		records(t, filepath.Join(dir, name))
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
	if st, err := os.Stat(precious); err != nil || st.Size() != 0 {
		t.Errorf("the link was followed: %v", err)
	}
}

// TestLogTakenAway: a log that is deleted or truncated is told of while the program runs, which goes on to its
// own end.
func TestLogTakenAway(t *testing.T) {
	for _, c := range []struct{ how, word string }{{"rm log.jsonl", "it was deleted"}, {": >log.jsonl", "it was truncated"}} {
		t.Run(c.word, func(t *testing.T) {
			dir := t.TempDir()
			// It ends when it is told to, and that is when vmblame has told.
			cmd := command(t, dir, "run", "-o", "log.jsonl", "sh", "-c", "until [ -s log.jsonl ]; do :; done; "+c.how+"; read x; exit 3")
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			errs := &watched{word: c.word, seen: make(chan struct{})}
			cmd.Stderr = errs
			start(t, cmd)
			<-errs.seen
			fmt.Fprintln(in)
			cmd.Wait()
			r := resultOf(t, cmd, "", errs.text.String())
			r.wants(t, 3, c.word)
			if n := strings.Count(r.stderr, c.word); n != 1 {
				t.Errorf("it is said %d times:\n%s", n, r.stderr)
			}
		})
	}
}

// watched is a buffer that tells when a word has come.
type watched struct {
	text bytes.Buffer
	word string
	seen chan struct{}
	told bool
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.text.Write(p)
	if !w.told && strings.Contains(w.text.String(), w.word) {
		w.told = true
		close(w.seen)
	}
	return n, err
}
