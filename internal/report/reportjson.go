package report

import (
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/text"
)

// The JSON of the views. Sizes are bytes, times nanoseconds since the recording began.

type processJSON struct {
	PID       int          `json:"pid"`
	Space     int          `json:"space"`
	Exe       string       `json:"exe"`
	Ended     bool         `json:"ended"`
	Explained int64        `json:"explained"`
	Figures   *int64       `json:"resident_at,omitempty"` // t of the snapshot that the resident bytes are from
	Total     Sums         `json:"total"`
	VMAs      int          `json:"vmas"` // rows of the kernel's
	Holders   []holderJSON `json:"holders"`
	Advice    []adviceJSON `json:"advice"`
	Ranges    []Range      `json:"ranges,omitempty"`
}

type holderJSON struct {
	Label  string        `json:"label"`
	Kind   classify.Kind `json:"kind,omitempty"`
	Thread int           `json:"thread,omitempty"`
	Who
	Sums
	Ranges []Range      `json:"ranges,omitempty"`
	Parts  []holderJSON `json:"parts,omitempty"`
}

type adviceJSON struct {
	Kind  classify.Kind `json:"kind"`
	Bytes int64         `json:"bytes"`
	Text  string        `json:"text"`
}

// ReportJSON is Report for programs.
func (s *Scene) ReportJSON(o ReportOptions) any {
	type doc struct {
		At
		By        By            `json:"by"`
		Peak      int64         `json:"peak"` // bytes mapped, of all processes together
		MaxMaps   string        `json:"max_map_count"`
		Processes []processJSON `json:"processes"`
	}
	d := doc{s.at(), o.By, s.peak, s.environment("max_map_count"), []processJSON{}}
	for _, p := range s.processes {
		d.Processes = append(d.Processes, s.processJSON(p, o))
	}
	return d
}

func (s *Scene) processJSON(p *process, o ReportOptions) processJSON {
	n := p.total()
	n.things = len(p.things())
	j := processJSON{PID: p.PID, Space: p.ID, Exe: p.Exe, Ended: p.ended, Explained: p.explained(), Total: p.sumsOf(&n),
		VMAs: len(kernelRows(p.pieces)), Holders: []holderJSON{}, Advice: []adviceJSON{}}
	if p.taken >= 0 {
		j.Figures = &p.taken
	}
	list, hidden := arrange(s.shares(p, o.By), o)
	for _, h := range list {
		j.Holders = append(j.Holders, s.holderJSON(p, h))
	}
	if hidden.pieces > 0 {
		j.Holders = append(j.Holders, holderJSON{Label: "smaller", Sums: p.sumsOf(&hidden)})
	}
	for _, a := range s.advice(p, text.Style{}) {
		j.Advice = append(j.Advice, adviceJSON{a.kind, a.bytes, a.text})
	}
	return j
}

func (s *Scene) holderJSON(p *process, h *share) holderJSON {
	j := holderJSON{Label: h.label, Kind: h.kind, Thread: h.thread, Who: whoOf(h.who), Sums: p.sumsOf(&h.sums)}
	for _, x := range h.pieces {
		j.Ranges = append(j.Ranges, s.rangeOf(p, x, x.Range))
	}
	for _, q := range h.parts {
		j.Parts = append(j.Parts, s.holderJSON(p, q))
	}
	return j
}
