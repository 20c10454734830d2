package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// someEvents makes some 12,000 mapping calls: more of a log than the smallest --log-limit.
const someEvents = "i=0; while [ $i -lt 250 ]; do /bin/true; i=$((i+1)); done; exit 7"

// TestLogLimit: the log and its parts are never larger than the limit, each can be read by itself, together they lack
// nothing behind the first that is left, and the last one knows who made what is mapped.
func TestLogLimit(t *testing.T) {
	for _, name := range []string{"log.jsonl", "log.jsonl.zst"}[:testenv.Often(1, 2)] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// Of an earlier recording: it is replaced. The compressed log has room for all of the events.
			stale := filepath.Join(dir, partName(name, 1))
			vmblame(t, dir, "run", "-q", "-o", partName(name, 1), "true").wants(t, 0)
			r := vmblame(t, dir, "run", "-q", "--log-limit", "4M", "-o", name, "sh", "-c", someEvents)
			r.wants(t, 7)
			parts := append(earlierParts(filepath.Join(dir, name), 1000), filepath.Join(dir, name))
			var sum int64
			last := uint64(0)
			for _, p := range parts {
				st, err := os.Stat(p)
				if err != nil {
					t.Fatal(err)
				}
				sum += st.Size()
				for _, rec := range records(t, p) {
					h, ok := rec.(*eventlog.Header)
					switch {
					case !ok:
					case h.Segment == nil:
						last = 0
					case last != 0 && h.Segment.Events != last:
						t.Errorf("%s begins behind event %d, and the part before it ends with %d", p, h.Segment.Events, last)
					default:
						last = h.Segment.Events
					}
					if e, ok := rec.(*eventlog.End); ok {
						last += e.Events
					}
				}
			}
			if sum > 4<<20 {
				t.Errorf("%d bytes in %d parts", sum, len(parts))
			}
			if name == "log.jsonl.zst" {
				return
			}
			if _, err := os.Stat(stale); len(parts) < 5 || err == nil {
				t.Errorf("%d parts, and the first is there: %v", len(parts), err == nil)
			}
			r = vmblame(t, dir, "report", name)
			r.wants(t, 0, "vmblame: report log.jsonl: segment ")
			if !strings.Contains(r.stdout, "100.0 % explained") || !strings.Contains(r.stdout, "the loader") {
				t.Errorf("the report says:\n%s", r.stdout)
			}
			r = vmblame(t, dir, "check", name)
			r.wants(t, 0)
			if !strings.Contains(r.stdout, "consistent") || !strings.Contains(r.stdout, "events 1 to ") {
				t.Errorf("the check says:\n%s", r.stdout)
			}
		})
	}
}

// TestLogLimitRefused: the limit is for files, and not below what a few segments need.
func TestLogLimitRefused(t *testing.T) {
	vmblame(t, t.TempDir(), "run", "--log-limit", "1M", "true").wants(t, 2, "--log-limit", "at least 4M")
	vmblame(t, t.TempDir(), "run", "--log-limit", "4M", "-o", "/dev/null", "true").wants(t, 125, "/dev/null", "--log-limit needs a regular file")
}

// TestPartKeepsOthers: a file that is no log is not replaced by a part, and the log says that it ends.
func TestPartKeepsOthers(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, partName("log.jsonl", 1))
	if err := os.WriteFile(mine, []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := vmblame(t, dir, "run", "-q", "--log-limit", "4M", "-o", "log.jsonl", "sh", "-c", someEvents)
	r.wants(t, 7, "vmblame: the log is incomplete", "not a vmblame log")
	if b, err := os.ReadFile(mine); err != nil || string(b) != "mine\n" {
		t.Errorf("it is %q, %v", b, err)
	}
	records(t, filepath.Join(dir, "log.jsonl"))
}

func TestPartName(t *testing.T) {
	for name, want := range map[string]string{
		"server.jsonl": "server.part-000003.jsonl", "server.jsonl.zst": "server.part-000003.jsonl.zst", "server": "server.part-000003",
		"/a.b/server": "/a.b/server.part-000003", "vmblame.4711.jsonl": "vmblame.4711.part-000003.jsonl",
	} {
		if got := partName(name, 3); got != want || strings.Contains(filepath.Dir(got), "part-") {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
