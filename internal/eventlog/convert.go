package eventlog

import (
	"errors"
	"fmt"

	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
)

// AttrOf converts a ledger's entry to the log's form. The result shares nothing with e.
func AttrOf(e *ledger.Entry) Attr {
	a := Attr{
		Perms: e.Perms.String(), Offset: e.Offset,
		Dev: e.File.Dev.String(), Inode: e.File.Inode, Path: e.File.Path,
		Origin: originOf(e.Origin), OriginCause: e.Origin.Cause.String(),
	}
	if e.Origin.Cause == ledger.Kernel {
		exec := ExecSeq(e.Origin.Exec)
		a.Exec = &exec
	}
	if m := e.Moved; m != nil {
		a.MovedFrom = &Moved{Hex(m.Start), originOf(m.Origin)}
	}
	return a
}

// MappingOf describes a ledger's entry as a row of a space or snapshot.
func MappingOf(e *ledger.Entry) Mapping {
	return Mapping{Hex(e.Start), Hex(e.End), AttrOf(e)}
}

// originOf is the seq, nil where no event made it.
func originOf(o ledger.Origin) *uint64 {
	if o.Cause != ledger.FromEvent || o.Event == 0 {
		return nil
	}
	seq := o.Event
	return &seq
}

// converter turns rows of the log into entries of a ledger. It caches the last strings parsed, which usually repeat.
type converter struct {
	dev     string
	devNo   vm.Dev
	entries []ledger.Entry
	changes []ledger.Change
}

var (
	errBounds = errors.New("not a range of whole pages")
	errOrigin = errors.New(`"origin_cause" stands with an origin of null, and only there`)
)

// entry is the row [start, end) with attributes a.
func (c *converter) entry(start, end Hex, a *Attr) (e ledger.Entry, err error) {
	e.Range = vm.Range{Start: uint64(start), End: uint64(end)}
	if e.Empty() || (start|end)%vm.PageSize != 0 {
		return e, errBounds
	}
	if e.Perms, err = vm.ParsePerms(a.Perms); err != nil {
		return e, err
	}
	if a.Dev != c.dev || a.Dev == "" {
		if c.devNo, err = vm.ParseDev(a.Dev); err != nil {
			return e, err
		}
		c.dev = a.Dev
	}
	e.Offset = a.Offset
	e.File = vm.File{Dev: c.devNo, Inode: a.Inode, Path: a.Path}
	if e.Origin.Cause, err = ledger.ParseCause(a.OriginCause); err != nil {
		return e, err
	}
	if (a.Origin == nil) != (e.Origin.Cause != ledger.FromEvent) {
		return e, errOrigin
	}
	if a.Origin != nil {
		e.Origin.Event = *a.Origin
	}
	if (a.Exec != nil) != (e.Origin.Cause == ledger.Kernel) {
		return e, errors.New(`"exec" stands with the origin_cause "kernel", and only there`)
	}
	if a.Exec != nil {
		e.Origin.Exec = uint64(*a.Exec)
	}
	if m := a.MovedFrom; m != nil {
		// The log does not say why the origin of pages that were moved is null; the ledger has no Origin
		// then.
		e.Moved = &ledger.Moved{Start: uint64(m.Start)}
		if m.Origin != nil {
			e.Moved.Origin.Event = *m.Origin
		}
	}
	return e, nil
}

// list converts the changes of an event or a drift. The result is valid until the next call.
func (c *converter) list(changes []Change) ([]ledger.Change, error) {
	c.changes = c.changes[:0]
	if cap(c.entries) < 2*len(changes) {
		c.entries = make([]ledger.Entry, 0, 4*len(changes))
	}
	c.entries = c.entries[:0]
	side := func(i int, what string, a *Attr) (*ledger.Entry, error) {
		if a == nil {
			return nil, nil
		}
		e, err := c.entry(changes[i].Start, changes[i].End, a)
		if err != nil {
			return nil, fmt.Errorf("change %d: %s: %w", i, what, err)
		}
		c.entries = append(c.entries, e)
		return &c.entries[len(c.entries)-1], nil
	}
	for i := range changes {
		was, err := side(i, "was", changes[i].Was)
		if err != nil {
			return nil, err
		}
		now, err := side(i, "now", changes[i].Now)
		if err != nil {
			return nil, err
		}
		r := vm.Range{Start: uint64(changes[i].Start), End: uint64(changes[i].End)}
		c.changes = append(c.changes, ledger.Change{Range: r, Was: was, Now: now})
	}
	return c.changes, nil
}
