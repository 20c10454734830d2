package ledger

import (
	"errors"
	"fmt"

	"github.com/vmblame/vmblame/internal/vm"
)

// Conflict is a change that does not fit the ledger: what the change says was mapped there is not.
type Conflict struct {
	Index int      // of the change in the list given to Apply
	Range vm.Range // the first pages that differ
	Want  *Entry   // what the change says was there, cut to Range; nil for not mapped
	Have  *Entry   // what is there, cut to Range; nil for not mapped
}

// Error says where and what differs.
func (c *Conflict) Error() string {
	name := func(e *Entry) string {
		if e == nil {
			return "nothing mapped"
		}
		return e.String()
	}
	return fmt.Sprintf("change %d: %v: the change found %s, the ledger has %s", c.Index, c.Range, name(c.Want), name(c.Have))
}

// Apply makes changes that were recorded from a ledger in the same state, in order. It returns a *Conflict where what
// a change says was there differs in attributes, origin or moved-from address, and another error for a malformed
// change (a range that is empty or not whole pages, Was or Now of another range, or both nil); that change and the
// later ones are not applied. l keeps copies: the caller may reuse changes.
func (l *Ledger) Apply(changes []Change) error {
	for i := range changes {
		c := &changes[i]
		if err := c.check(); err != nil {
			return fmt.Errorf("change %d: %v: %w", i, c.Range, err)
		}
		if err := l.conflict(c); err != nil {
			err.Index = i
			return err
		}
		if c.Now != nil {
			l.put(*c.Now)
			continue
		}
		l.removed = l.Remove(c.Range, l.removed[:0])
	}
	return nil
}

var (
	errRange   = errors.New("not a range of whole pages")
	errOther   = errors.New("what it was or became has another range")
	errNothing = errors.New("changes nothing")
)

func (c *Change) check() error {
	switch {
	case c.Empty() || (c.Start|c.End)%vm.PageSize != 0:
		return errRange
	case c.Was == nil && c.Now == nil:
		return errNothing
	case c.Was != nil && c.Was.Range != c.Range, c.Now != nil && c.Now.Range != c.Range:
		return errOther
	}
	return nil
}

// conflict compares what c says was in its range with what is.
func (l *Ledger) conflict(c *Change) *Conflict {
	var bad *Conflict
	differs := func(r vm.Range, have *Entry) bool {
		bad = &Conflict{Range: r, Have: have}
		if have != nil {
			bad.Have = have.cut(r)
		}
		if c.Was != nil {
			bad.Want = c.Was.cut(r)
		}
		return false
	}
	pos := c.Start
	l.scan(c.Range, func(e *Entry) bool {
		if c.Was != nil && e.Start > pos {
			return differs(vm.Range{Start: pos, End: e.Start}, nil)
		}
		if c.Was == nil || !c.Was.Same(e) {
			return differs(e.Intersect(c.Range), e)
		}
		pos = e.End
		return true
	})
	if bad == nil && c.Was != nil && pos < c.End {
		differs(vm.Range{Start: pos, End: c.End}, nil)
	}
	return bad
}
