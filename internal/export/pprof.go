package export

import (
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
)

// WritePprof writes p as pprof reads it: github.com/google/pprof/proto/profile.proto, compressed with gzip. Locations have
// the address in the file, and the mapping of a file all addresses from 0, which is how profiles say that addresses
// were adjusted already. Of a difference the values are negative where something has gone.
func (p *Profile) WritePprof(w io.Writer) error {
	e := pprofEncoder{strings: map[string]uint64{}, mappings: map[module]uint64{}, functions: map[pprofFunction]uint64{}, locations: map[string]uint64{}}
	e.string("")
	values := p.values()
	for _, v := range values {
		var m message
		m.uint(1, e.string(v.String()))
		m.uint(2, e.string(valueNames[v].unit))
		e.out.sub(1, m)
	}
	e.program(p)
	for _, s := range p.samples {
		e.sample(s, values)
	}
	for i, m := range e.modules {
		e.mapping(uint64(i+1), m)
	}
	if !p.started.IsZero() {
		e.out.uint(9, uint64(p.started.UnixNano()+p.at.T))
	}
	e.out.uint(10, uint64(p.at.T))
	for _, c := range p.comments() {
		e.out.packed(13, []uint64{e.string(c)})
	}
	e.out.uint(14, e.string(Addresses.String()))
	for _, s := range e.table {
		e.out.sub(6, message(s))
	}
	z := gzip.NewWriter(w)
	if _, err := z.Write(e.out); err != nil {
		return err
	}
	return z.Close()
}

// comments returns what the values alone do not show, such as bytes that were not counted.
func (p *Profile) comments() (list []string) {
	list = append(list, fmt.Sprintf("vmblame: %s@%s, %d ns after its beginning", p.log, p.at.Moment, p.at.T))
	switch {
	case !p.counted:
		list = append(list, "resident: not counted")
	case p.uncounted > 0:
		list = append(list, fmt.Sprintf("resident: of %d bytes of addresses not counted", p.uncounted))
	}
	if p.at.Cut {
		list = append(list, "the log is cut")
	}
	return list
}

// A pprofEncoder makes the messages of a profile. It numbers them from 1, in the order of their first use.
type pprofEncoder struct {
	out       message
	table     []string
	strings   map[string]uint64
	mappings  map[module]uint64
	modules   []*pprofMapping
	functions map[pprofFunction]uint64
	locations map[string]uint64
}

// A module is a file with code.
type module struct{ path, buildID string }

type pprofMapping struct {
	module
	unnamed, noFile, noLine bool // some of its locations lack it
	inlined                 bool
}

type pprofFunction struct{ name, file string }

// program adds the mapping of the executable as the first one: pprof takes the first for the program.
func (e *pprofEncoder) program(p *Profile) {
	for _, s := range p.samples {
		for i := range s.frames {
			if s.frames[i].Module == p.exe {
				e.module(&s.frames[i])
				return
			}
		}
	}
}

// string is the number of s in the table of strings.
func (e *pprofEncoder) string(s string) uint64 {
	id, ok := e.strings[s]
	if !ok {
		id = uint64(len(e.table))
		e.table = append(e.table, strings.ToValidUTF8(s, "\ufffd"))
		e.strings[s] = id
	}
	return id
}

func (e *pprofEncoder) sample(s *sample, values []Value) {
	var m message
	figures := make([]uint64, len(values))
	any := false
	for i, v := range values {
		figures[i] = uint64(s.now[v] - s.was[v])
		any = any || figures[i] != 0
	}
	if !any {
		return
	}
	m.packed(1, e.stack(s))
	m.packed(2, figures)
	for _, l := range [...][2]string{{"kind", s.kind}, {"thread", s.thread}, {"file", s.file}, {"process", s.process}, {"call", s.call}} {
		if l[1] != "" {
			var label message
			label.uint(1, e.string(l[0]))
			label.uint(2, e.string(l[1]))
			m.sub(3, label)
		}
	}
	e.out.sub(2, m)
}

// stack is the numbers of the sample's locations, innermost first. Functions that are inlined into one frame are
// lines of one location.
func (e *pprofEncoder) stack(s *sample) (list []uint64) {
	if len(s.frames) == 0 {
		return []uint64{e.location(nil, s.words)}
	}
	for i := 0; i < len(s.frames); {
		if s.frames[i].Omitted > 0 {
			list = append(list, e.location(nil, s.frames[i].Label()))
			i++
			continue
		}
		n := 1
		for s.frames[i+n-1].Inlined && i+n < len(s.frames) {
			n++
		}
		list = append(list, e.location(s.frames[i:i+n], ""))
		i += n
	}
	return list
}

// location is the number of the location of a frame with what is inlined into it, or of words.
func (e *pprofEncoder) location(frames []analysis.Frame, words string) uint64 {
	key := words
	if len(frames) > 0 {
		f := &frames[0]
		key = fmt.Sprintf("%s\x00%s\x00%x", f.Module, f.BuildID(), uint64(f.Offset))
	}
	if id, ok := e.locations[key]; ok {
		return id
	}
	id := uint64(len(e.locations) + 1)
	e.locations[key] = id
	var m message
	m.uint(1, id)
	if len(frames) == 0 {
		m.sub(4, e.line(words, "", 0))
	} else {
		x, n := e.module(&frames[0])
		m.uint(2, n)
		m.uint(3, uint64(frames[0].Offset))
		for i := range frames {
			f := &frames[i]
			x.inlined = x.inlined || f.Inlined
			if f.Function == "" {
				x.unnamed = true
				continue
			}
			x.noFile, x.noLine = x.noFile || f.File == "", x.noLine || f.Line == 0
			m.sub(4, e.line(f.Label(), f.File, f.Line))
		}
	}
	e.out.sub(4, m)
	return id
}

func (e *pprofEncoder) line(function, file string, line int) message {
	key := pprofFunction{function, file}
	id, ok := e.functions[key]
	if !ok {
		id = uint64(len(e.functions) + 1)
		e.functions[key] = id
		var f message
		f.uint(1, id)
		f.uint(2, e.string(function))
		f.uint(3, e.string(function))
		f.uint(4, e.string(file))
		e.out.sub(5, f)
	}
	var m message
	m.uint(1, id)
	m.uint(2, uint64(line))
	return m
}

// module is the mapping of a frame's file, and its number.
func (e *pprofEncoder) module(f *analysis.Frame) (*pprofMapping, uint64) {
	key := module{f.Module, f.BuildID()}
	id, ok := e.mappings[key]
	if !ok {
		e.modules = append(e.modules, &pprofMapping{module: key})
		id = uint64(len(e.modules))
		e.mappings[key] = id
	}
	return e.modules[id-1], id
}

func (e *pprofEncoder) mapping(id uint64, x *pprofMapping) {
	var m message
	m.uint(1, id)
	m.uint(3, math.MaxUint64)
	m.uint(5, e.string(x.path))
	m.uint(6, e.string(x.buildID))
	for field, has := range map[int]bool{7: !x.unnamed, 8: !x.noFile, 9: !x.noLine, 10: x.inlined} {
		if has {
			m.uint(field, 1)
		}
	}
	e.out.sub(3, m)
}
