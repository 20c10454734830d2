package record

import (
	"fmt"
	"time"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/inspect"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// lookBound is how long the end of a recording waits for inspections of memory. The processes are already detached.
const lookBound = 2 * time.Second

// told is the result of inspecting the memory of a space, or why there is none.
type told struct {
	findings []classify.Finding
	refused  error
}

// looks are the running inspections of spaces' memory and their results.
type looks struct {
	out  *output
	ring func() // makes the tracer's source return; from any goroutine
	list []*space
}

// into starts inspecting the memory of a space while the recording goes on. No thread is stopped: findings in pages
// that changed meanwhile are dropped when the result comes.
func (l *looks) into(sp *space) {
	answer := make(chan told, 1)
	sp.look = answer
	l.list = append(l.list, sp)
	go func(pid int) {
		defer l.ring()
		live, err := inspect.OpenLive(pid)
		if err != nil {
			answer <- told{refused: err}
			return
		}
		defer live.Close()
		defer func() {
			if p := recover(); p != nil { // a bug of ours costs what memory shows, not the recording
				l.out.warn(fmt.Sprintf("internal error, the memory of process %d tells nothing: %v%s", pid, p, panicSite()))
				answer <- told{}
			}
		}()
		answer <- told{inspect.Look(&live.Process), live.Refused}
	}(sp.pid)
}

// take writes the results that arrived since its last call.
func (l *looks) take() {
	left := l.list[:0]
	for _, sp := range l.list {
		select {
		case t := <-sp.look:
			l.tell(sp, t)
		default:
			left = append(left, sp)
		}
	}
	l.list = left
}

// await waits up to lookBound for the outstanding results.
func (l *looks) await() {
	timeout := time.After(lookBound)
	for _, sp := range l.list {
		select {
		case t := <-sp.look:
			l.tell(sp, t)
		case <-timeout:
			return
		}
	}
	l.list = nil
}

// tell writes the findings in pages that are still as they were when inspected.
func (l *looks) tell(sp *space, t told) {
	if t.refused != nil && !sp.ended {
		l.out.note("info", "memory-unread", fmt.Sprintf("the memory of process %d cannot be read (%v): only its mappings tell what it mapped before; with CAP_SYS_PTRACE (sudo) thread stacks, arenas, large allocations and runtimes would be known, too", sp.pid, t.refused))
	}
	c := &eventlog.Content{T: l.out.now(), After: sp.events.Last(), Space: sp.id}
	for _, f := range t.findings {
		var parts []classify.Part
		for _, p := range f.Parts {
			sp.Ledger().Overlapping(p.Range, func(e ledger.Entry) bool {
				if e.Origin.Cause == ledger.BeforeAttach {
					parts = appendPart(parts, classify.Part{Range: e.Intersect(p.Range), Kind: p.Kind})
				}
				return true
			})
		}
		if len(parts) == 0 {
			continue
		}
		f.Parts = parts
		sp.content = append(sp.content, f)
		c.Findings = append(c.Findings, finding(&f))
	}
	if len(c.Findings) > 0 {
		l.out.queue.Put(c)
	}
}

// appendPart appends p, merged into the last part if it continues that.
func appendPart(parts []classify.Part, p classify.Part) []classify.Part {
	if n := len(parts); n > 0 && parts[n-1].End == p.Start && parts[n-1].Kind == p.Kind {
		parts[n-1].Range = vm.Range{Start: parts[n-1].Start, End: p.End}
		return parts
	}
	return append(parts, p)
}

func finding(f *classify.Finding) eventlog.Finding {
	out := eventlog.Finding{Kind: string(f.Kind), Detail: f.Detail, TID: f.TID, Confidence: string(f.Confidence), Evidence: f.Evidence}
	for _, p := range f.Parts {
		out.Parts = append(out.Parts, eventlog.FindingPart{Start: eventlog.Hex(p.Start), End: eventlog.Hex(p.End), Kind: string(p.Kind)})
	}
	if b := f.Books; b != nil {
		out.Books = &eventlog.Books{System: b.System, Free: b.Free, Top: b.Top}
	}
	return out
}
