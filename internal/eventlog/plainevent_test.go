package eventlog

import (
	"bytes"
	"io"
	"testing"
)

// generally decodes a line key by key, as if no event were written as AppendRecord writes it.
func generally(d *decoder, line []byte) (Record, error) {
	d.parts.reset()
	d.reset(line)
	if d.typeOf() != "event" {
		return nil, errNoType
	}
	return result(d, d.decodeEvent())
}

// agree fails the test unless plainEvent, if it takes the line, takes it for what the general decoder does.
func agree(t *testing.T, line []byte) (taken bool) {
	var plain, general decoder
	got := plain.plainEvent(line)
	if got == nil {
		return false
	}
	want, err := generally(&general, line)
	if err != nil {
		t.Fatalf("taken as plain, though: %v: %q", err, line)
	}
	if a, b := AppendRecord(nil, got), AppendRecord(nil, want); !bytes.Equal(a, b) {
		t.Fatalf("plain:   %sgeneral: %s", a, b)
	}
	return true
}

// TestPlainEvents: the events that we write ourselves are plain, and what differs from them in one byte, or ends
// early, is read as the general decoder reads it or left to it.
func TestPlainEvents(t *testing.T) {
	events, plain := 0, 0
	for line := range bytes.Lines(good(t)) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if otherType(line, "event") {
			continue
		}
		events++
		if agree(t, line) {
			plain++
		}
		for i := range line {
			if agree(t, line[:i]) {
				t.Fatalf("taken, though cut at %d: %s", i, line)
			}
			changed := bytes.Clone(line)
			const others = `0"x,- }`
			changed[i] = others[i%len(others)]
			agree(t, changed)
		}
	}
	if events == 0 || plain < events/2 {
		t.Errorf("%d of %d events are plain", plain, events)
	}
	e := hotEvent()
	if line := AppendRecord(nil, e); !agree(t, line[:len(line)-1]) {
		t.Errorf("not plain: %s", line)
	}
}

// TestSkimEvents: of events that are skimmed Seq and T are right, and all other records are whole.
func TestSkimEvents(t *testing.T) {
	skimmed, err := NewReader(bytes.NewReader(repeated(5000)))
	if err != nil {
		t.Fatal(err)
	}
	defer skimmed.Close()
	same, err := NewReader(bytes.NewReader(repeated(5000)))
	if err != nil {
		t.Fatal(err)
	}
	defer same.Close()
	short := 0
	for n := 0; ; n++ {
		want, errWant := same.Next()
		got, errGot := skimmed.Next()
		if errWant != nil || errGot != nil {
			if errWant != io.EOF || errGot != io.EOF {
				t.Fatalf("%v, %v", errWant, errGot)
			}
			break
		}
		if n == 1 {
			skimmed.SkimEvents()
		}
		a, event := want.(*Event)
		if !event {
			if x, y := AppendRecord(nil, want), AppendRecord(nil, got); !bytes.Equal(x, y) {
				t.Fatalf("%s%s", x, y)
			}
			continue
		}
		b := got.(*Event)
		if a.Seq != b.Seq || a.T != b.T {
			t.Fatalf("event %d at %d, want %d at %d", b.Seq, b.T, a.Seq, a.T)
		}
		if b.Call == "" {
			short++
		}
	}
	if short == 0 {
		t.Error("nothing is skimmed")
	}
}

// FuzzPlainEvent: plainEvent never takes a line for something else than the general decoder does.
func FuzzPlainEvent(f *testing.F) {
	for line := range bytes.Lines(good(f)) {
		f.Add(bytes.TrimSuffix(line, []byte("\n")))
	}
	f.Fuzz(func(t *testing.T, line []byte) { agree(t, line) })
}
