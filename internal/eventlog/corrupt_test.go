package eventlog

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vmblame/vmblame/internal/testenv"
)

// A corruption is one kind of untruth. It is put into every real log, wherever it can be, and check must find
// it each time; what cannot be found by the log alone stands in docs/eventlog.md.
type corruption struct {
	name string
	// change makes line i of the log untrue, or several lines, and reports whether it could.
	change func(l *corruptible, i int) bool
}

// corruptible is a log as records.
type corruptible struct {
	lines [][]byte
	recs  []Record // each with a decoder of its own
	at    map[int]Record
}

func readCorruptible(t *testing.T, path string) *corruptible {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	l := &corruptible{lines: bytes.SplitAfter(text, []byte("\n"))}
	l.lines = l.lines[:len(l.lines)-1]
	for _, line := range l.lines {
		rec, err := new(decoder).decode(line)
		if err != nil {
			t.Fatal(err)
		}
		l.recs = append(l.recs, rec)
	}
	return l
}

// broken returns the log with the corruption at line i, nil where it cannot be there.
func (l *corruptible) broken(t *testing.T, c *corruption, i int) []byte {
	work := &corruptible{lines: slices.Clone(l.lines), recs: slices.Clone(l.recs), at: map[int]Record{}}
	if !c.change(work, i) {
		return nil
	}
	for n, rec := range work.at {
		work.lines[n] = AppendRecord(nil, rec)
	}
	return bytes.Join(work.lines, nil)
}

// edit returns a copy of line i's record that will be written in its place.
func (l *corruptible) edit(i int) Record {
	rec, _ := new(decoder).decode(l.lines[i])
	l.at[i] = rec
	return rec
}

// event makes a corruption of events that are settled.
func event(change func(e *Event) bool) func(*corruptible, int) bool {
	return func(l *corruptible, i int) bool {
		if e, ok := l.recs[i].(*Event); !ok || e.Uncertain {
			return false
		}
		return change(l.edit(i).(*Event))
	}
}

// call makes one of the successful events of some calls.
func call(names string, change func(e *Event) bool) func(*corruptible, int) bool {
	return event(func(e *Event) bool {
		return e.Error == "" && slices.Contains(strings.Fields(names), e.Call) && change(e)
	})
}

// added makes one of what mmap mapped.
func added(change func(e *Event, c *Change) bool) func(*corruptible, int) bool {
	return call("mmap", func(e *Event) bool { return change(e, &e.Changes[len(e.Changes)-1]) })
}

func record[T Record](change func(r T) bool) func(*corruptible, int) bool {
	return func(l *corruptible, i int) bool {
		if _, ok := l.recs[i].(T); !ok {
			return false
		}
		return change(l.edit(i).(T))
	}
}

// without deletes lines, twice doubles them.
func without[T Record](which func(r T) bool) func(*corruptible, int) bool {
	return func(l *corruptible, i int) bool {
		r, ok := l.recs[i].(T)
		if ok = ok && which(r); ok {
			l.lines[i] = nil
		}
		return ok
	}
}

func twice[T Record](which func(r T) bool) func(*corruptible, int) bool {
	return func(l *corruptible, i int) bool {
		r, ok := l.recs[i].(T)
		if ok = ok && which(r); ok {
			l.lines[i] = append(slices.Clone(l.lines[i]), l.lines[i]...)
		}
		return ok
	}
}

func any_[T Record](T) bool { return true }

func what(w string) func(*Thread) bool { return func(r *Thread) bool { return r.What == w } }

// argument finds an argument to be changed.
func (r *Event) argument(name string) *Arg {
	for i := range r.Args {
		if r.Args[i].Name == name {
			return &r.Args[i]
		}
	}
	return nil
}

// flip changes bits of an argument, where it is there.
func (r *Event) flip(name string, bits int64) bool {
	a := r.argument(name)
	if a != nil {
		a.Value ^= bits
	}
	return a != nil
}

func swapPerm(a *Attr, at int, x, y byte) bool {
	b := []byte(a.Perms)
	switch b[at] {
	case x:
		b[at] = y
	case y:
		b[at] = x
	}
	a.Perms = string(b)
	return true
}

// move takes line i before line j.
func (l *corruptible) move(i, j int) bool {
	line := l.lines[i]
	l.lines = slices.Delete(l.lines, i, i+1)
	l.lines = slices.Insert(l.lines, j, line)
	return true
}

// next finds the next line behind i that f is true of, -1 where there is none.
func (l *corruptible) next(i int, f func(Record) bool) int {
	for j := i + 1; j < len(l.recs); j++ {
		if f(l.recs[j]) {
			return j
		}
	}
	return -1
}

func ofThread(tid int) func(Record) bool {
	return func(r Record) bool { e, ok := r.(*Event); return ok && e.TID == tid }
}

func backed(a *Attr) bool { return a.Inode != 0 && ownFile(a.Path) }

// side makes a corruption of what a change found.
func side(now bool, change func(a *Attr) bool) func(*corruptible, int) bool {
	return event(func(e *Event) bool {
		for i := range e.Changes {
			a := e.Changes[i].Was
			if now {
				a = e.Changes[i].Now
			}
			if a != nil && change(a) {
				return true
			}
		}
		return false
	})
}

func succeed(names string) func(*corruptible, int) bool {
	return event(func(e *Event) bool {
		if e.Error == "" || !slices.Contains(strings.Fields(names), e.Call) {
			return false
		}
		e.Error, e.Result = "", &Result{}
		if e.Call == "mmap" || e.Call == "brk" || e.Call == "shmat" {
			e.Result = &Result{Value: 0x7f0000000000, Address: true}
		}
		return true
	})
}

// TestCheckFindsCorruptions puts each corruption into each place of real recordings where it can be.
func TestCheckFindsCorruptions(t *testing.T) {
	paths, err := filepath.Glob("testdata/real-*.jsonl")
	if err != nil || len(paths) < 8 {
		t.Fatalf("real logs: %v, %v", paths, err)
	}
	logs := []string{"testdata/good.jsonl", "testdata/segment.jsonl"}
	var read []*corruptible
	for _, path := range append(logs, paths...) {
		read = append(read, readCorruptible(t, path))
	}
	// What only the earlier segments could show.
	unprovable := map[string]bool{"a space of another process": true, "another mode": true}
	names := map[string]bool{}
	all := slices.Concat(corruptions, corruptionsOfCalls)
	for i := range all {
		c := &all[i]
		if names[c.name] {
			t.Fatalf("two corruptions are called %q", c.name)
		}
		names[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			most := testenv.Often(1, 4)                // of one log
			enough := testenv.Often(3, most*len(read)) // of all
			tried := 0
			for k, l := range read {
				if k == 1 && unprovable[c.name] {
					continue
				}
				places := 0
				for _, i := range rand.New(rand.NewPCG(uint64(k), 1)).Perm(len(l.lines)) {
					if places == most || tried == enough {
						break
					}
					log := l.broken(t, c, i)
					if log == nil {
						continue
					}
					tried++
					places++
					found := 0
					err := Check(bytes.NewReader(log), func(Problem) { found++ })
					if err == nil && found == 0 {
						t.Errorf("%s, line %d: nothing was found wrong with it\n%s", append(logs, paths...)[k], i+1, shorten(l.lines[i]))
					}
				}
			}
			if tried == 0 {
				t.Error("it is possible nowhere")
			}
		})
	}
}

func shorten(line []byte) string {
	if len(line) > 1500 {
		return fmt.Sprintf("%s…", line[:1500])
	}
	return string(line)
}
