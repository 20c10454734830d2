package analysis

import "github.com/vmblame/vmblame/internal/eventlog"

// peak finds the line of a log after which the most bytes are mapped. It needs no ledger, because changes contain
// sizes.
type peak struct {
	pids    []int
	threads *threads
	bytes   map[int]int64 // mapped in each counted space in use
	pidOf   map[int]int   // of every space
	sum     int64
	most    int64
	line    int
}

func (y *peak) put(rec eventlog.Record, line int) {
	switch r := rec.(type) {
	case *eventlog.Space:
		y.pidOf[r.Space] = r.PID
		if !wanted(y.pids, r.PID) {
			return
		}
		y.bytes[r.Space] = 0
		for i := range r.Mappings {
			y.add(r.Space, int64(r.Mappings[i].End-r.Mappings[i].Start))
		}
		if r.Parent != nil && r.Cause == "exec" && y.pidOf[*r.Parent] == r.PID {
			y.drop(*r.Parent)
		}
	case *eventlog.Event:
		y.changes(r.Space, r.Changes)
	case *eventlog.Drift:
		y.changes(r.Space, r.Changes)
	case *eventlog.Thread:
		if left := y.threads.put(r); left != 0 {
			y.drop(left)
		}
		return
	default:
		return
	}
	if y.sum > y.most || y.line == 0 {
		y.most, y.line = y.sum, line
	}
}

func (y *peak) changes(space int, list []eventlog.Change) {
	for i := range list {
		c := &list[i]
		n := int64(c.End - c.Start)
		if c.Was != nil {
			y.add(space, -n)
		}
		if c.Now != nil {
			y.add(space, n)
		}
	}
}

func (y *peak) add(space int, n int64) {
	if b, ok := y.bytes[space]; ok {
		y.bytes[space] = b + n
		y.sum += n
	}
}

func (y *peak) drop(space int) {
	y.sum -= y.bytes[space]
	delete(y.bytes, space)
}
