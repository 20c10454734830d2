package order

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// sent is what a queue has let out so far.
func sent(q *Queue) (lines []string) {
	for _, rec := range q.cur.Records {
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

func expect(t *testing.T, q *Queue, want ...string) {
	t.Helper()
	if got := sent(q); !reflect.DeepEqual(got, want) && len(got)+len(want) > 0 {
		t.Fatalf("\n got %q\nwant %q", got, want)
	}
}

// event begins an event of space 1 that removes what event was made, where at is not empty.
func event(q *Queue, s *Sequence, was uint64, at vm.Range) *PendingEvent {
	e := q.Begin(s)
	e.Space = 1
	if !at.Empty() {
		e.Changes = []eventlog.Change{{Start: eventlog.Hex(at.Start), End: eventlog.Hex(at.End), Was: &eventlog.Attr{Origin: &was}}}
	}
	return e
}

func TestQueueHoldsBehindAnOpenEvent(t *testing.T) {
	q, s := NewQueue(), &Sequence{}
	q.PutEvent(event(q, s, 0, vm.Range{}))
	open := event(q, s, 0, vm.Range{})
	q.Open(open, pages(1, 2))
	q.PutEvent(event(q, s, 0, vm.Range{}))
	q.Define(&eventlog.Stack{})
	expect(t, q, "event 1", "stack")
	q.Close(open)
	expect(t, q, "event 1", "stack", "event 2", "event 3")
}

func TestQueueClosesInAnyOrder(t *testing.T) {
	q, s := NewQueue(), &Sequence{}
	var open []*PendingEvent
	for range 3 {
		e := event(q, s, 0, vm.Range{})
		q.Open(e, pages(1, 2))
		open = append(open, e)
	}
	q.Close(open[1])
	q.Close(open[2])
	expect(t, q)
	q.Close(open[0])
	expect(t, q, "event 1", "event 2", "event 3")
	if q.opens != 0 || len(q.held) != 0 {
		t.Fatalf("%d open, %d held", q.opens, len(q.held))
	}
}

// An event that holds back too much gives up its number: what follows moves up without a gap, references
// included, and what overlaps it becomes uncertain.
func TestWithdraw(t *testing.T) {
	q, s := NewQueue(), &Sequence{}
	q.PutEvent(event(q, s, 0, vm.Range{}))
	open := event(q, s, 1, pages(10, 20))
	q.Open(open, pages(10, 20))
	q.Put(&eventlog.Drift{After: s.Last(), Space: 1})
	q.PutEvent(event(q, s, 0, vm.Range{}))
	q.PutEvent(event(q, s, 3, pages(12, 13)))
	expect(t, q, "event 1")
	q.Withdraw(open, &eventlog.Drift{After: open.Previous(), Space: 1})
	expect(t, q, "event 1", "drift after 1", "drift after 1", "event 2", "event 3? was 2")
	if s.Last() != 4 || q.seq(s.Last()) != 3 || q.Events() != 3 {
		t.Fatalf("the last event is %d, seq %d", s.Last(), q.seq(s.Last()))
	}
	if q.Undo(open); q.Events() != 3 {
		t.Fatal("a number is given up twice")
	}
}

// One whose call was not made after all leaves no trace.
func TestUndo(t *testing.T) {
	q, s := NewQueue(), &Sequence{}
	open, behind := event(q, s, 0, vm.Range{}), event(q, s, 0, vm.Range{})
	q.Open(open, pages(10, 20))
	q.Open(behind, pages(10, 20))
	q.Undo(open)
	if behind.Previous() != 0 {
		t.Errorf("an event comes behind %d, which never was", behind.Previous())
	}
	q.Close(behind)
	expect(t, q, "event 1")
	if s.Last() != 2 || q.seq(2) != 1 || q.Events() != 1 {
		t.Fatalf("the last event is %d", s.Last())
	}
}

// What is flushed comes out in order, and what is recycled is used again.
func TestBatches(t *testing.T) {
	q, s := NewQueue(), &Sequence{}
	first := event(q, s, 0, vm.Range{})
	q.PutEvent(first)
	q.Flush()
	q.Send(&eventlog.Note{})
	b := <-q.Batches()
	if len(b.Records) != 1 || b.Records[0] != &first.Event {
		t.Fatalf("a batch of %v", b.Records)
	}
	q.Recycle(b)
	if b = <-q.Batches(); len(b.Records) != 1 || b.Records[0].Type() != "note" {
		t.Fatalf("a batch of %v", b.Records)
	}
	q.PutEvent(event(q, s, 0, vm.Range{}))
	q.Flush()
	if e := q.Begin(s); e != first || e.Number() != 3 || e.Changes != nil {
		t.Error("the memory of an event is not used again")
	}
	q.End()
	<-q.Batches()
	if _, more := <-q.Batches(); more {
		t.Error("there is no end")
	}
}
