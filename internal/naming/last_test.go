package naming

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// An end does not wait for a file that takes long. What it leaves to another process is named there as it would have been here,
// each place once, code in no file here.
func TestNamesLeft(t *testing.T) {
	f, pc := own(t)
	st, err := f.OS().Stat()
	if err != nil {
		t.Fatal(err)
	}
	image := make([]byte, f.Size())
	if _, err := f.ReadAt(image, 0); err != nil {
		t.Fatal(err)
	}
	list, err := os.CreateTemp(t.TempDir(), "perf")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list.WriteString("1000 100 compiled\n"); err != nil {
		t.Fatal(err)
	}
	noted := func(slow func() bool) *Names {
		n := New(Options{DebugDirs: []string{os.DevNull}})
		inMemory, err := elffile.Open(bytes.NewReader(image), f.Size(), "[vdso]")
		if err != nil {
			t.Fatal(err)
		}
		n.Module(1, &Source{File: f, Intact: slow, Made: st.ModTime()})
		n.Module(2, &Source{File: inMemory, Intact: func() bool { return true }, Label: "vdso"})
		n.Module(3, &Source{File: f, Intact: func() bool { return true }, Made: st.ModTime().Add(-1)}) // written to since
		code, err := os.Open(list.Name())
		if err != nil {
			t.Fatal(err)
		}
		n.perf[7] = &PerfMap{file: code}
		n.Module(4, &Source{Perf: n.perf[7]})
		n.Add(stackOf(eventlog.Frame{Module: 1, Offset: pc}, eventlog.Frame{Module: 2, Offset: pc}, eventlog.Frame{Module: 4, Offset: 0x1010}))
		return n
	}
	want := last(noted(func() bool { return true }))
	if len(want) != 3 {
		t.Fatalf("%d names", len(want))
	}

	begun, released := make(chan struct{}), make(chan struct{})
	n := noted(func() bool { close(begun); <-released; return true })
	stop, background := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(background)
		n.Background(stop, func(...eventlog.Record) { t.Error("names are sent that were left") })
	}()
	<-begun
	n.Add(stackOf(eventlog.Frame{Module: 1, Offset: pc + 1}, eventlog.Frame{Module: 3, Offset: pc}))
	close(stop)
	named, rest := n.Last(background, time.Nanosecond)
	if len(named) != 1 || named[0].(*eventlog.Symbol).Frames[0].Function != "compiled" {
		t.Errorf("named at once: %v", named)
	}
	close(released)
	<-background

	text, err := json.Marshal(rest)
	if err != nil {
		t.Fatal(err)
	}
	there := new(Rest)
	if err := json.Unmarshal(text, there); err != nil {
		t.Fatal(err)
	}
	there.Open(func(place int) *os.File { return rest.Files()[place] })
	got := there.Names()
	more := slices.IndexFunc(got, func(r eventlog.Record) bool { return r.(*eventlog.Symbol).Offset == pc+1 })
	if more < 0 {
		t.Fatalf("the address that was noted later has no name: %v", got)
	}
	if got = slices.Delete(got, more, more+1); !reflect.DeepEqual(got, want[:2]) {
		t.Errorf("%v, want %v", got, want[:2])
	}
	if again, _ := n.Last(background, 0); len(again) != 0 {
		t.Errorf("named here too: %v", again)
	}
}
