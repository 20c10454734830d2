package segment

import (
	"slices"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// Cutter turns the records of a recording into the lines of its segments. It keeps what a later segment needs: its memory
// grows with what is mapped, with the live threads, and with the different stacks and their names, not with the events. It
// is not safe for concurrent use.
type Cutter struct {
	replay  *eventlog.Replay
	header  eventlog.Header
	t       int64 // the latest of all lines
	spaces  map[int]*space
	threads map[int]*eventlog.Thread // the living, by tid
	known   definitions
	origins origins
	content map[int][]*eventlog.Content // by space
	notes   []*eventlog.Note            // the first warnings
	left    int                         // address spaces that have lost their last thread

	number int // of the segment
	here   present
	counts eventlog.End
	last   eventlog.Segment // the last ids of all
}

// mostNotes bounds the warnings that are repeated in each segment.
const mostNotes = 100

// mostLeft is how many address spaces without threads are kept before they are forgotten.
const mostLeft = 256

// space is what a segment records of an address space in addition to its mappings.
type space struct {
	eventlog.Space      // without the mappings
	blind          bool // its mappings could not be read when it began
	used           bool // a thread has been seen
	users          int  // living threads
}

// NewCutter returns a Cutter before the first record of the first segment.
func NewCutter() *Cutter {
	return &Cutter{
		replay: eventlog.NewReplay(), spaces: map[int]*space{}, threads: map[int]*eventlog.Thread{},
		known: newDefinitions(), origins: newOrigins(), content: map[int][]*eventlog.Content{},
		number: 1, here: newPresent(),
	}
}

// Append appends the lines of rec in the present segment, and before them those of what it refers to and the segment
// lacks. An end gets the counts of the segment.
func (c *Cutter) Append(dst []byte, rec eventlog.Record) []byte {
	_ = c.replay.Put(rec) // what does not fit is for check to say
	switch r := rec.(type) {
	case *eventlog.Header:
		c.header = *r
	case *eventlog.Space:
		c.begin(r)
		c.time(r.T)
	case *eventlog.Thread:
		c.thread(r)
		c.time(r.T)
	case *eventlog.Module:
		c.known.module(r)
		c.last.Modules = max(c.last.Modules, r.Module)
		return c.define(dst, r.Module)
	case *eventlog.Stack:
		c.known.stack(r)
		c.last.Stacks = max(c.last.Stacks, r.Stack)
		return c.tell(dst, r.Stack)
	case *eventlog.Symbol:
		c.known.symbol(r)
		return c.name(dst, r.Place())
	case *eventlog.Event:
		c.time(r.T)
		c.counts.Events++
		if r.Stack != nil {
			dst = c.tell(dst, *r.Stack)
		}
		c.origins.put(r, c.threads[r.TID])
		if c.origins.full() {
			c.origins.forget(c.replay)
		}
	case *eventlog.Advice:
		c.time(r.T)
		if r.Stack != nil {
			dst = c.tell(dst, *r.Stack)
		}
	case *eventlog.Drift:
		c.time(r.T)
		c.counts.Drifts++
	case *eventlog.Snapshot:
		c.time(r.T)
	case *eventlog.Content:
		kept := *r
		c.content[r.Space] = append(c.content[r.Space], &kept)
	case *eventlog.Note:
		c.time(r.T)
		if r.Level == "warning" && len(c.notes) < mostNotes {
			kept := *r
			c.notes = append(c.notes, &kept)
		}
	case *eventlog.End:
		end := *r
		end.Events, end.Stacks, end.Drifts = c.counts.Events, uint64(len(c.here.stacks)), c.counts.Drifts
		rec = &end
	}
	return eventlog.AppendRecord(dst, rec)
}

// End is the end of the present segment, after which the recording goes on.
func (c *Cutter) End() *eventlog.End {
	return &eventlog.End{T: c.t, Cause: "segment", Events: c.counts.Events, Stacks: uint64(len(c.here.stacks)), Drifts: c.counts.Drifts}
}

// Counts are those of the present segment.
func (c *Cutter) Counts() (events, stacks, drifts uint64) {
	return c.counts.Events, uint64(len(c.here.stacks)), c.counts.Drifts
}

func (c *Cutter) time(t int64) { c.t = max(c.t, t) }

// begin takes a new address space.
func (c *Cutter) begin(r *eventlog.Space) {
	sp := &space{Space: *r, blind: len(r.Mappings) == 0 || r.Blind}
	sp.Mappings, sp.Argv = nil, slices.Clone(r.Argv)
	if r.Parent != nil {
		parent := *r.Parent
		sp.Parent = &parent
		if p := c.spaces[parent]; p != nil && p.blind && r.Cause == "fork" {
			sp.blind = true
		}
		if r.Cause == "fork" {
			c.content[r.Space] = slices.Clone(c.content[parent])
		}
	}
	c.spaces[r.Space] = sp
	c.last.Spaces = max(c.last.Spaces, r.Space)
}

// thread follows the life of a thread, and through it whether its address space is in use.
func (c *Cutter) thread(r *eventlog.Thread) {
	if before := c.threads[r.TID]; before != nil && r.What != "start" {
		delete(c.threads, r.TID)
		if sp := c.spaces[before.Space]; sp != nil {
			if sp.users--; sp.users == 0 {
				c.left++
			}
		}
	}
	if c.left > mostLeft {
		c.forget()
	}
	if r.What == "exit" {
		c.origins.ended(r)
		return
	}
	kept := *r
	c.threads[r.TID] = &kept
	if sp := c.spaces[r.Space]; sp != nil {
		sp.used = true
		sp.users++
	}
}
