package report

import "github.com/vmblame/vmblame/internal/eventlog"

// owners is who holds an address space, in bytes: what the changes of the log add to each origin and take
// from it. It needs no order of addresses, costs O(1) a change, and forgets an origin with its last byte.
type owners struct {
	by     map[owner]holding
	mapped int64 // bytes
	peak   int64 // bytes, the most that stood at the end of an event
}

// An owner is what made pages be mapped, together with what they are.
type owner struct {
	origin uint64 // seq, 0 where there is none
	cause  string // with origin 0
	path   string
}

// holding is signed: a drift may stand before the event that it comes after.
type holding struct {
	reserved  int64 // bytes
	committed int64 // bytes of them that can be accessed in some way
	origin    origin
}

// origin is what is known of the event that made the pages be mapped.
type origin struct {
	stack int    // 0 for none
	call  string // "" where the event is not known
}

func newOwners() *owners { return &owners{by: map[owner]holding{}} }

// ownerOf returns a's owner.
func ownerOf(a *eventlog.Attr) owner {
	o := owner{path: a.Path}
	if a.Origin != nil {
		o.origin = *a.Origin
	} else {
		o.cause = a.OriginCause
	}
	return o
}

// apply does the changes of an event (seq and by say which) or of a drift (seq 0).
func (o *owners) apply(changes []eventlog.Change, seq uint64, by origin) {
	for i := range changes {
		c := &changes[i]
		n := int64(c.End - c.Start)
		if c.Now != nil {
			from := by
			if c.Now.Origin == nil || *c.Now.Origin != seq {
				// An older origin: mprotect and naming keep it.
				from = o.origin(c.Now, c.Was)
			}
			o.add(c.Now, n, from)
		}
		if c.Was != nil {
			o.add(c.Was, -n, origin{})
		}
	}
	o.peak = max(o.peak, o.mapped)
}

func (o *owners) origin(now, was *eventlog.Attr) origin {
	if h, ok := o.by[ownerOf(now)]; ok {
		return h.origin
	}
	if was != nil && was.Origin != nil && now.Origin != nil && *was.Origin == *now.Origin {
		return o.by[ownerOf(was)].origin
	}
	return origin{}
}

// add counts n bytes more, or less, of what a says; from is what made them where that is new.
func (o *owners) add(a *eventlog.Attr, n int64, from origin) {
	k := ownerOf(a)
	h := o.by[k]
	if h.origin == (origin{}) {
		h.origin = from
	}
	h.reserved += n
	if accessible(a.Perms) {
		h.committed += n
	}
	if h.reserved == 0 && h.committed == 0 {
		delete(o.by, k)
	} else {
		o.by[k] = h
	}
	o.mapped += n
}

// begin fills o from the list that a space begins with; parent, which may be nil, knows older origins.
func (o *owners) begin(ms []eventlog.Mapping, parent *owners) {
	for i := range ms {
		m := &ms[i]
		var from origin
		if parent != nil {
			from = parent.origin(&m.Attr, nil)
		}
		o.add(&m.Attr, int64(m.End-m.Start), from)
	}
	o.peak = max(o.peak, o.mapped)
}

// explained is how many of the mapped bytes a traced call or the kernel's exec made.
func (o *owners) explained() int64 {
	var n int64
	for k, h := range o.by {
		if k.origin != 0 || k.cause == "kernel" {
			n += h.reserved
		}
	}
	return n
}

// accessible tells whether perms ("---p") allow any access.
func accessible(perms string) bool {
	for i := 0; i < len(perms) && i < 3; i++ {
		if perms[i] != '-' {
			return true
		}
	}
	return false
}
