package record

import (
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// words keeps the strings that mappings are written with, so that no event makes them again.
type words struct {
	perms [16]string
	devs  map[vm.Dev]string
}

func newWords() *words {
	w := &words{devs: make(map[vm.Dev]string)}
	for p := range w.perms {
		w.perms[p] = vm.Perms(p).String()
	}
	return w
}

func (w *words) dev(d vm.Dev) string {
	s, ok := w.devs[d]
	if !ok {
		s = d.String()
		w.devs[d] = s
	}
	return s
}

// fill writes what an entry is to a. origin and exec are where its pointers may point.
func (w *words) fill(a *eventlog.Attr, e *ledger.Entry, origin *uint64, exec *eventlog.ExecSeq) {
	*a = eventlog.Attr{Perms: w.perms[e.Perms&15], Offset: e.Offset, Dev: w.dev(e.File.Dev), Inode: e.File.Inode,
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

// attr makes an Attr of its own.
func (w *words) attr(e *ledger.Entry) *eventlog.Attr {
	if e == nil {
		return nil
	}
	var a struct {
		eventlog.Attr
		origin uint64
		exec   eventlog.ExecSeq
	}
	w.fill(&a.Attr, e, &a.origin, &a.exec)
	return &a.Attr
}

// changes makes a list of its own.
func (w *words) changes(list []ledger.Change) []eventlog.Change {
	out := make([]eventlog.Change, len(list))
	for i, c := range list {
		out[i] = eventlog.Change{Start: eventlog.Hex(c.Start), End: eventlog.Hex(c.End), Was: w.attr(c.Was), Now: w.attr(c.Now)}
	}
	return out
}

// mappings lists a whole ledger.
func (w *words) mappings(l *ledger.Ledger) []eventlog.Mapping {
	out := make([]eventlog.Mapping, 0, l.Len())
	for e := range l.All {
		out = append(out, eventlog.Mapping{Start: eventlog.Hex(e.Start), End: eventlog.Hex(e.End), Attr: *w.attr(&e)})
	}
	return out
}

// setChanges fills the event's list, in the box's own room where it is large enough.
func (b *eventBox) setChanges(w *words, list []ledger.Change) {
	if len(list) > len(b.changes) {
		b.Changes = w.changes(list)
		return
	}
	n := 0
	attr := func(e *ledger.Entry) *eventlog.Attr {
		if e == nil {
			return nil
		}
		a := &b.attrs[n]
		w.fill(a, e, &b.origins[n], &b.execs[n])
		n++
		return a
	}
	for i, c := range list {
		b.changes[i] = eventlog.Change{Start: eventlog.Hex(c.Start), End: eventlog.Hex(c.End), Was: attr(c.Was), Now: attr(c.Now)}
	}
	b.Changes = b.changes[:len(list)]
}
