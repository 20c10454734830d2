package analysis

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/testenv"
)

// TestFollower holds the states of a log that grows, cut in the midst of lines too, against those of readings for themselves, each at
// once and once more when all has been read.
func TestFollower(t *testing.T) {
	for _, name := range testenv.Files(t, "../report/testdata/*.jsonl", "../eventlog/testdata/*.jsonl") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			log := filepath.Join(t.TempDir(), "log.jsonl")
			f := NewFollower(log)
			r := rand.New(rand.NewPCG(uint64(len(data)), 1))
			header := bytes.IndexByte(data, '\n') + 1
			var states []*State
			var texts []string
			for n := header; ; n = min(n+1+r.IntN(len(data)/2+1), len(data)) {
				if err := os.WriteFile(log, data[:n], 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := f.State(nil)
				if err != nil {
					t.Fatal(err)
				}
				alone, err := Load(fileLog(log), Moment{}, nil)
				if err != nil {
					t.Fatal(err)
				}
				want := stateText(t, alone)
				if got := stateText(t, s); got != want {
					t.Fatalf("after %d of %d bytes:\n%s\nwant\n%s", n, len(data), got, want)
				}
				later, err := f.State(nil) // nothing was added
				if err != nil {
					t.Fatal(err)
				}
				states, texts = append(states, later), append(texts, want)
				if n == len(data) {
					break
				}
			}
			for i, s := range states {
				if got := stateText(t, s); got != texts[i] {
					t.Errorf("state %d of %d has become\n%s\nit was\n%s", i, len(states), got, texts[i])
				}
			}
		})
	}
}

func stateText(t *testing.T, s *State) string {
	t.Helper()
	text := marshal(t, []any{s.T, s.Seq, s.Cut, s.End(), s.Failed()})
	for _, by := range []By{ByKind, ByStack, ByThread} {
		text += "\n" + marshal(t, s.Report(ReportOptions{By: by}))
	}
	return text
}

// TestFollowerOfAnotherLog: one that is shorter, or another file, is read from its beginning, and so is one whose reading failed.
func TestFollowerOfAnotherLog(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log.jsonl")
	f := NewFollower(log)
	if _, err := f.State(nil); !os.IsNotExist(err) {
		t.Errorf("of no log: %v", err)
	}
	hold := func(what string) {
		t.Helper()
		s, err := f.State(nil)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		alone, err := Load(fileLog(log), Moment{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := stateText(t, s), stateText(t, alone); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
		}
	}
	read := func(name string) []byte {
		data, err := os.ReadFile("../report/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	write := func(data []byte) {
		if err := os.WriteFile(log, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	large, small := read("case.jsonl"), read("reuse.jsonl")
	write(small)
	hold("the first")
	write(large)
	hold("a longer one in its place")
	write(small)
	hold("a shorter one")
	if err := os.WriteFile(log+".new", large, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(log+".new", log); err != nil {
		t.Fatal(err)
	}
	hold("another file")
	write(append(bytes.Clone(large[:len(large)/2]), "\nno record\nnor this\n"...))
	if _, err := f.State(nil); err == nil {
		t.Error("a line that is no record gives no error")
	}
	write(large)
	hold("after an error")
}

// TestFollowerOfRepetition: what one chain of calls advised, and against which limits one was refused memory, is added up and replaced
// where more is read, and not in the states of before.
func TestFollowerOfRepetition(t *testing.T) {
	data, err := os.ReadFile("../eventlog/testdata/real-advice.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	advice := slices.IndexFunc(lines, func(l []byte) bool { return bytes.Contains(l, []byte(`"type":"advice"`)) })
	refused := func(limit string) []byte {
		return fmt.Appendf(nil, `{"type":"event","seq":%d,"t":26525660,"space":1,"pid":3413,"tid":3413,"call":"mmap","args":{"addr":"0x0","length":8192,"prot":3,"flags":34,"fd":-1,"off":"0x0"},"error":"ENOMEM","limits":{"rlimit_as":%q}}`+"\n",
			bytes.Count(bytes.Join(lines[:advice], nil), []byte(`"type":"event"`))+1, limit)
	}
	log := filepath.Join(t.TempDir(), "log.jsonl")
	f := NewFollower(log)
	whole := slices.Concat(bytes.Join(lines[:advice+1], nil), refused("10000000"))
	state := func() *State {
		t.Helper()
		if err := os.WriteFile(log, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := f.State(nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	text, first := stateText(t, state()), state()
	whole = slices.Concat(whole, lines[advice], refused("20000000"))
	if stateText(t, state()) == text {
		t.Error("another advice and another limit make no difference")
	}
	if got := stateText(t, first); got != text {
		t.Errorf("the state has become\n%s\nit was\n%s", got, text)
	}
}

// BenchmarkFollower is what the next state of a log of 40,000 calls costs, by a reading for itself and by a Follower.
func BenchmarkFollower(b *testing.B) {
	lines := churn(20_000, 0, 1<<20)
	text := bytes.Buffer{}
	r, err := textLog(lines...)()
	if err != nil {
		b.Fatal(err)
	}
	for {
		if _, err := r.Next(); err != nil {
			break
		}
		text.Write(append(bytes.Clone(r.Raw()), '\n'))
	}
	whole := text.Bytes()
	log := filepath.Join(b.TempDir(), "log.jsonl")
	open := func() (*eventlog.Reader, error) { return eventlog.Open(log) }
	for name, next := range map[string]func() (*State, error){
		"load": func() (*State, error) { return Load(open, Moment{}, nil) }, "follow": nil,
	} {
		b.Run(name, func(b *testing.B) {
			if err := os.WriteFile(log, whole, 0o600); err != nil {
				b.Fatal(err)
			}
			if next == nil {
				f := NewFollower(log)
				next = func() (*State, error) { return f.State(nil) }
				if _, err := next(); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, err := next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
