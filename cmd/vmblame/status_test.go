package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/text"
)

func TestStatus(t *testing.T) {
	var b bytes.Buffer
	s := newStatus(&b, text.Style{})
	attr := &eventlog.Attr{}
	for _, r := range []eventlog.Record{
		&eventlog.Space{Mappings: []eventlog.Mapping{{Start: 0x1000, End: 0x5000}}},
		&eventlog.Event{Changes: []eventlog.Change{{Start: 0x5000, End: 0x9000, Now: attr}}},
		&eventlog.Event{Changes: []eventlog.Change{{Start: 0x1000, End: 0x2000, Was: attr}, {Start: 0x2000, End: 0x3000, Was: attr, Now: attr}}},
	} {
		if err := s.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := s.line(3*time.Second), clearLine+"3 s  2 events  28 KiB mapped  +16 KiB  -4 KiB"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := s.line(4*time.Second), clearLine+"4 s  2 events  28 KiB mapped  +0  -0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := s.Put(&eventlog.End{}); err != nil || b.String() != clearLine {
		t.Errorf("%q, %v", b.String(), err)
	}
}
