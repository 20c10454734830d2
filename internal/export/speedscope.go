package export

import (
	"encoding/json"
	"io"
)

// The file format of speedscope (speedscope.app/file-format-schema.json).
type speedscopeFile struct {
	Schema   string              `json:"$schema"`
	Name     string              `json:"name"`
	Exporter string              `json:"exporter"`
	Active   int                 `json:"activeProfileIndex"`
	Shared   speedscopeShared    `json:"shared"`
	Profiles []speedscopeProfile `json:"profiles"`
}

type speedscopeShared struct {
	Frames []speedscopeFrame `json:"frames"`
}

type speedscopeFrame struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

type speedscopeProfile struct {
	Type    string  `json:"type"`
	Name    string  `json:"name"`
	Unit    string  `json:"unit"`
	Start   int64   `json:"startValue"`
	End     int64   `json:"endValue"`
	Samples [][]int `json:"samples"` // of each the frames, outermost first
	Weights []int64 `json:"weights"`
}

// WriteSpeedscope writes p as speedscope reads it: a profile for each value of each process. It is not for a difference,
// of which that format has no notion.
func (p *Profile) WriteSpeedscope(w io.Writer, tool string) error {
	f := speedscopeFile{Schema: "https://www.speedscope.app/file-format-schema.json", Name: p.log + "@" + p.at.Moment, Exporter: tool, Shared: speedscopeShared{Frames: []speedscopeFrame{}}, Profiles: []speedscopeProfile{}}
	ids := map[speedscopeFrame]int{}
	frame := func(k speedscopeFrame) int {
		id, ok := ids[k]
		if !ok {
			id = len(f.Shared.Frames)
			ids[k] = id
			f.Shared.Frames = append(f.Shared.Frames, k)
		}
		return id
	}
	of := map[string]map[Value]*speedscopeProfile{}
	var processes []string
	for _, s := range p.samples {
		if of[s.process] == nil {
			of[s.process] = map[Value]*speedscopeProfile{}
			processes = append(processes, s.process)
		}
		var stack []int
		for i := len(s.frames) - 1; i >= 0; i-- {
			x := &s.frames[i]
			k := speedscopeFrame{Name: x.Label(), File: x.File, Line: x.Line}
			if k.File == "" {
				k.File = x.Module
			}
			stack = append(stack, frame(k))
		}
		if len(s.frames) == 0 {
			stack = append(stack, frame(speedscopeFrame{Name: s.words}))
		}
		stack = append(stack, frame(speedscopeFrame{Name: "[" + s.kind + s.call + "]"}))
		for _, v := range p.values() {
			if s.now[v] == 0 {
				continue
			}
			x := of[s.process][v]
			if x == nil {
				x = &speedscopeProfile{Type: "sampled", Name: s.process + ": " + v.String(), Unit: "none"}
				if valueNames[v].unit == "bytes" {
					x.Unit = "bytes"
				}
				of[s.process][v] = x
			}
			x.Samples = append(x.Samples, stack)
			x.Weights = append(x.Weights, s.now[v])
			x.End += s.now[v]
		}
	}
	for _, process := range processes {
		for _, v := range Values() {
			if x := of[process][v]; x != nil {
				f.Profiles = append(f.Profiles, *x)
			}
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(&f)
}
