package record

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// outRecorder is a recorder of which only the outbox works; sent is what it has let out so far.
func outRecorder() (*Recorder, func() []string) {
	r := &Recorder{words: newWords(), box: *newOutbox()}
	return r, func() (lines []string) {
		for _, rec := range r.box.cur.records {
			switch rec := rec.(type) {
			case *eventlog.Event:
				line := fmt.Sprintf("event %d", rec.Seq)
				if rec.Uncertain {
					line += "?"
				}
				for _, c := range rec.Changes {
					if c.Was != nil && c.Was.Origin != nil {
						line += fmt.Sprintf(" was %d", *c.Was.Origin)
					}
				}
				lines = append(lines, line)
			case *eventlog.Drift:
				lines = append(lines, fmt.Sprintf("drift after %d", rec.After))
			default:
				lines = append(lines, rec.Type())
			}
		}
		return lines
	}
}

func (r *Recorder) testEvent(sp *space, f *flight, changes ...ledger.Change) *eventBox {
	n := r.number(sp, f)
	b := r.box.box()
	b.Event = eventlog.Event{Seq: n, Space: sp.id}
	b.flight = f
	b.setChanges(r.words, changes)
	return b
}

func wasFrom(event uint64, at vm.Range) ledger.Change {
	return ledger.Change{Range: at, Was: &ledger.Entry{Mapping: vm.Mapping{Range: at}, Origin: ledger.Origin{Event: event}}}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
		t.Fatalf("\n got %q\nwant %q", got, want)
	}
}

func TestOutboxHoldsBehindAnOpenEvent(t *testing.T) {
	r, sent := outRecorder()
	sp := &space{id: 1}
	one := r.testEvent(sp, &flight{})
	r.box.put(&one.Event, one)
	open := r.testEvent(sp, &flight{})
	open.open = true
	r.box.put(&open.Event, open)
	three := r.testEvent(sp, &flight{})
	r.box.put(&three.Event, three)
	r.box.define(&eventlog.Stack{})
	expect(t, sent(), "event 1", "stack")
	r.box.closed(open)
	expect(t, sent(), "event 1", "stack", "event 2", "event 3")
}

func TestOutboxClosesInAnyOrder(t *testing.T) {
	r, sent := outRecorder()
	sp := &space{id: 1}
	var boxes []*eventBox
	for range 3 {
		b := r.testEvent(sp, &flight{})
		b.open = true
		r.box.put(&b.Event, b)
		boxes = append(boxes, b)
	}
	r.box.closed(boxes[1])
	r.box.closed(boxes[2])
	expect(t, sent())
	r.box.closed(boxes[0])
	expect(t, sent(), "event 1", "event 2", "event 3")
	if r.box.opens != 0 || len(r.box.held) != 0 {
		t.Fatalf("%d open, %d held", r.box.opens, len(r.box.held))
	}
}

// A call that holds back too much gives up its number: what follows moves up without a gap, references
// included, and what overlaps it becomes uncertain.
func TestWithdraw(t *testing.T) {
	r, sent := outRecorder()
	sp := &space{id: 1, ledger: ledger.New()}
	f := &flight{task: &task{space: sp}, at: pages(10, 20)}
	one := r.testEvent(sp, &flight{})
	r.box.put(&one.Event, one)
	f.settled = r.number(sp, f)
	f.taken = []ledger.Change{wasFrom(1, pages(10, 20))}
	f.record = r.box.box()
	f.record.Event = eventlog.Event{Seq: f.settled, Space: 1}
	f.record.open, f.record.flight = true, f
	r.box.put(&f.record.Event, f.record)
	r.box.put(&eventlog.Drift{After: sp.lastEvent, Space: 1}, nil)
	three := r.testEvent(sp, &flight{})
	r.box.put(&three.Event, three)
	four := r.testEvent(sp, &flight{}, wasFrom(3, pages(12, 13)))
	r.box.put(&four.Event, four)
	expect(t, sent(), "event 1")
	r.withdraw(f)
	expect(t, sent(), "event 1", "drift after 1", "drift after 1", "event 2", "event 3? was 2")
	if sp.lastEvent != 4 || r.box.seq(sp.lastEvent) != 3 {
		t.Fatalf("the last event is %d, seq %d", sp.lastEvent, r.box.seq(sp.lastEvent))
	}
}

// A removal that a kill prevented leaves no trace.
func TestUndo(t *testing.T) {
	r, sent := outRecorder()
	sp := &space{id: 1, ledger: ledger.New()}
	at := pages(10, 20)
	sp.ledger.Add(ledger.Entry{Mapping: vm.Mapping{Range: at}, Origin: ledger.Origin{Event: 7}}, nil)
	f := &flight{task: &task{space: sp}, at: at}
	f.settled = r.number(sp, f)
	f.taken = sp.ledger.Remove(at, nil)
	f.record = r.box.box()
	f.record.open, f.record.flight = true, f
	r.box.put(&f.record.Event, f.record)
	r.undo(f)
	if e, ok := sp.ledger.At(at.Start); !ok || e.Origin.Event != 7 || e.Range != at {
		t.Fatalf("the ledger has %v, %v", e, ok)
	}
	two := r.testEvent(sp, &flight{})
	r.box.put(&two.Event, two)
	expect(t, sent(), "event 1")
	if sp.lastEvent != 2 || r.box.seq(2) != 1 {
		t.Fatalf("the last event is %d", sp.lastEvent)
	}
}

func TestErrnoOf(t *testing.T) {
	for result, want := range map[int64]int{0: 0, -1: 1, -12: 12, -4095: 4095, -4096: 0, 0x7f0000000000: 0} {
		if got := errnoOf(result); int(got) != want {
			t.Errorf("%d: errno %d, want %d", result, got, want)
		}
	}
}
