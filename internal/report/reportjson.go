package report

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/vm"
)

// The JSON of the views. Sizes are bytes, times nanoseconds since the recording began.

type momentJSON struct {
	Moment string `json:"moment"` // as it was asked for
	T      int64  `json:"t"`
	Seq    uint64 `json:"seq"`
	Cut    bool   `json:"cut"`
}

type sumsJSON struct {
	Reserved  int64  `json:"reserved"`
	Committed int64  `json:"committed"`
	Resident  *int64 `json:"resident"`      // null where the log has no figures
	Shared    *int64 `json:"pss,omitempty"` // resident, what others share divided among them
	Dirty     *int64 `json:"private_dirty,omitempty"`
	Swapped   *int64 `json:"swapped,omitempty"`
	Count     int    `json:"count"`    // things: stacks, arenas, files …
	Mappings  int    `json:"mappings"` // entries of the ledger
}

type processJSON struct {
	PID       int           `json:"pid"`
	Space     int           `json:"space"`
	Exe       string        `json:"exe"`
	Ended     bool          `json:"ended"`
	Explained int64         `json:"explained"`
	Figures   *int64        `json:"resident_at,omitempty"` // t of the snapshot that the resident bytes are from
	Total     sumsJSON      `json:"total"`
	VMAs      int           `json:"vmas"` // rows of the kernel's
	Holders   []holderJSON  `json:"holders"`
	Advice    []adviceJSON  `json:"advice"`
	Ranges    []mappingJSON `json:"ranges,omitempty"`
}

type holderJSON struct {
	Label  string        `json:"label"`
	Kind   classify.Kind `json:"kind,omitempty"`
	Thread int           `json:"thread,omitempty"`
	Who    []string      `json:"who,omitempty"` // calls, innermost first
	sumsJSON
	Ranges []mappingJSON `json:"ranges,omitempty"`
	Parts  []holderJSON  `json:"parts,omitempty"`
}

type mappingJSON struct {
	Start      eventlog.Hex        `json:"start"`
	End        eventlog.Hex        `json:"end"`
	Bytes      int64               `json:"bytes"`
	Perms      string              `json:"perms"`
	Path       string              `json:"path"`
	Offset     uint64              `json:"offset"`
	Kind       classify.Kind       `json:"kind"`
	Name       string              `json:"name"`
	Detail     string              `json:"detail,omitempty"`
	Owner      int                 `json:"owner_tid,omitempty"`
	Confidence classify.Confidence `json:"confidence"`
	Evidence   string              `json:"evidence"`
	Resident   *int64              `json:"resident"`
	Origin     *uint64             `json:"origin"` // seq of the event
	Cause      string              `json:"origin_cause,omitempty"`
	Call       string              `json:"call,omitempty"`
	T          *int64              `json:"t,omitempty"`
	PID        int                 `json:"pid,omitempty"`
	TID        int                 `json:"tid,omitempty"`
	Thread     string              `json:"thread,omitempty"`
	Stack      int                 `json:"stack,omitempty"`
	Who        []string            `json:"who"`
}

type adviceJSON struct {
	Kind  classify.Kind `json:"kind"`
	Bytes int64         `json:"bytes"`
	Text  string        `json:"text"`
}

func (s *Scene) momentJSON() momentJSON {
	return momentJSON{Moment: s.Moment.String(), T: s.T, Seq: s.Seq, Cut: s.Cut}
}

func (p *process) sumsJSON(n *sums) sumsJSON {
	j := sumsJSON{Reserved: n.reserved, Committed: n.committed, Count: n.things, Mappings: n.pieces}
	if p.taken >= 0 {
		j.Resident = ptr(n.rss)
		j.Shared, j.Dirty, j.Swapped = ptr(n.pss), ptr(n.dirty), ptr(n.swap)
	}
	return j
}

// ReportJSON is Report for programs.
func (s *Scene) ReportJSON(o ReportOptions) any {
	type doc struct {
		momentJSON
		By        By            `json:"by"`
		Peak      int64         `json:"peak"` // bytes mapped, of all processes together
		MaxMaps   string        `json:"max_map_count"`
		Processes []processJSON `json:"processes"`
	}
	d := doc{s.momentJSON(), o.By, s.peak, s.environment("max_map_count"), []processJSON{}}
	for _, p := range s.processes {
		d.Processes = append(d.Processes, s.processJSON(p, o))
	}
	return d
}

func (s *Scene) processJSON(p *process, o ReportOptions) processJSON {
	n := p.total()
	n.things = len(p.things())
	j := processJSON{PID: p.PID, Space: p.ID, Exe: p.Exe, Ended: p.ended, Explained: p.explained(), Total: p.sumsJSON(&n),
		VMAs: len(kernelRows(p.pieces)), Holders: []holderJSON{}, Advice: []adviceJSON{}}
	if p.taken >= 0 {
		j.Figures = &p.taken
	}
	list, hidden := arrange(s.shares(p, o.By), o)
	for _, h := range list {
		j.Holders = append(j.Holders, s.holderJSON(p, h))
	}
	if hidden.pieces > 0 {
		j.Holders = append(j.Holders, holderJSON{Label: "smaller", sumsJSON: p.sumsJSON(&hidden)})
	}
	for _, a := range s.advice(p, Look{}) {
		j.Advice = append(j.Advice, adviceJSON{a.kind, a.bytes, a.text})
	}
	return j
}

func (s *Scene) holderJSON(p *process, h *share) holderJSON {
	j := holderJSON{Label: h.label, Kind: h.kind, Thread: h.thread, Who: h.who.calls, sumsJSON: p.sumsJSON(&h.sums)}
	for _, x := range h.pieces {
		j.Ranges = append(j.Ranges, s.mappingJSON(p, x))
	}
	for _, q := range h.parts {
		j.Parts = append(j.Parts, s.holderJSON(p, q))
	}
	return j
}

func (s *Scene) mappingJSON(p *process, x *piece) mappingJSON {
	return s.partJSON(p, x, x.Range)
}

// partJSON is the part of x that lies in r.
func (s *Scene) partJSON(p *process, x *piece, r vm.Range) mappingJSON {
	m := x.Slice(r)
	j := mappingJSON{
		Start: eventlog.Hex(m.Start), End: eventlog.Hex(m.End), Bytes: int64(m.Len()), Perms: m.Perms.String(), Path: m.File.Path, Offset: m.Offset,
		Kind: x.Kind, Name: x.Name, Detail: x.Detail, Owner: x.TID, Confidence: x.Confidence, Evidence: x.Evidence,
		Cause: x.Origin.Cause.String(), Who: s.who(p, x).calls,
	}
	if p.taken >= 0 {
		j.Resident = ptr(x.part(r).rss)
	}
	if x.Origin.Event != 0 {
		j.Origin = ptr(x.Origin.Event)
	}
	if e := x.maker; e != nil {
		j.Call, j.T, j.PID, j.TID, j.Stack = e.Call, ptr(e.T), e.PID, e.TID, e.Stack
		j.Thread = s.lives.name(e.TID, e.T)
	}
	return j
}

// part is the figures of the part of x that lies in r, by length where that is not all of it.
func (x *piece) part(r vm.Range) figures {
	n, of := r.Intersect(x.Range).Len(), x.Len()
	if n == of {
		return x.figures
	}
	cut := func(v int64) int64 { return int64(float64(v)*float64(n)/float64(of)) &^ (vm.PageSize - 1) }
	return figures{cut(x.rss), cut(x.pss), cut(x.dirty), cut(x.swap)}
}
