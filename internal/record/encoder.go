package record

import (
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/vm"
)

// encoder caches the strings of written mappings, so that events do not allocate them again.
type encoder struct {
	perms [16]string
	devs  map[vm.Dev]string
}

func newEncoder() *encoder {
	enc := &encoder{devs: make(map[vm.Dev]string)}
	for p := range enc.perms {
		enc.perms[p] = vm.Perms(p).String()
	}
	return enc
}

func (enc *encoder) dev(d vm.Dev) string {
	s, ok := enc.devs[d]
	if !ok {
		s = d.String()
		enc.devs[d] = s
	}
	return s
}

// fill writes an entry to a. origin and exec are memory for a's pointers.
func (enc *encoder) fill(a *eventlog.Attr, e *ledger.Entry, origin *uint64, exec *eventlog.ExecSeq) {
	*a = eventlog.Attr{Perms: enc.perms[e.Perms&15], Offset: e.Offset, Dev: enc.dev(e.File.Dev), Inode: e.File.Inode,
		Path: e.File.Path}
	if e.Origin.Cause == ledger.FromEvent {
		*origin = e.Origin.Event
		a.Origin = origin
	} else {
		a.OriginCause = e.Origin.Cause.String()
		if e.Origin.Cause == ledger.Kernel {
			*exec = eventlog.ExecSeq(e.Origin.Exec)
			a.Exec = exec
		}
	}
	if e.Moved != nil {
		a.MovedFrom = &eventlog.Moved{Start: eventlog.Hex(e.Moved.Start)}
		if e.Moved.Origin.Cause == ledger.FromEvent {
			from := e.Moved.Origin.Event
			a.MovedFrom.Origin = &from
		}
	}
}

// attrOf returns an Attr, whose pointers are newly allocated.
func (enc *encoder) attrOf(e *ledger.Entry) eventlog.Attr {
	var origin *uint64
	var exec *eventlog.ExecSeq
	switch e.Origin.Cause {
	case ledger.FromEvent:
		origin = new(uint64)
	case ledger.Kernel:
		exec = new(eventlog.ExecSeq)
	}
	var a eventlog.Attr
	enc.fill(&a, e, origin, exec)
	return a
}

// attr returns a newly allocated Attr.
func (enc *encoder) attr(e *ledger.Entry) *eventlog.Attr {
	if e == nil {
		return nil
	}
	var a struct {
		eventlog.Attr
		origin uint64
		exec   eventlog.ExecSeq
	}
	enc.fill(&a.Attr, e, &a.origin, &a.exec)
	return &a.Attr
}

// changes returns a newly allocated list.
func (enc *encoder) changes(list []ledger.Change) []eventlog.Change {
	out := make([]eventlog.Change, len(list))
	for i, c := range list {
		out[i] = eventlog.Change{Start: eventlog.Hex(c.Start), End: eventlog.Hex(c.End), Was: enc.attr(c.Was), Now: enc.attr(c.Now)}
	}
	return out
}

// mappings lists a whole ledger.
func (enc *encoder) mappings(l *ledger.Ledger) []eventlog.Mapping {
	out := make([]eventlog.Mapping, 0, l.Len())
	for e := range l.Entries {
		out = append(out, eventlog.Mapping{Start: eventlog.Hex(e.Start), End: eventlog.Hex(e.End), Attr: enc.attrOf(e)})
	}
	return out
}

// setChanges fills the event's list, in the event's Room if that is large enough.
func (enc *encoder) setChanges(b *order.PendingEvent, list []ledger.Change) {
	room := &b.Room
	if len(list) > len(room.Changes) {
		b.Changes = enc.changes(list)
		return
	}
	n := 0
	attr := func(e *ledger.Entry) *eventlog.Attr {
		if e == nil {
			return nil
		}
		a := &room.Attrs[n]
		enc.fill(a, e, &room.Origins[n], &room.Execs[n])
		n++
		return a
	}
	for i, c := range list {
		room.Changes[i] = eventlog.Change{Start: eventlog.Hex(c.Start), End: eventlog.Hex(c.End), Was: attr(c.Was), Now: attr(c.Now)}
	}
	b.Changes = room.Changes[:len(list)]
}
