package symbolize

import (
	"cmp"
	"strings"

	"github.com/vmblame/vmblame/internal/debuginfo"
	"github.com/vmblame/vmblame/internal/elffile"
)

// dwarf is the source that names by debugging information: functions, the chain of inlined calls, file and line.
type dwarf struct{ info *debuginfo.Info }

// openDWARF opens the debugging information in the image itself.
func openDWARF(m *image) source { return openDebugInfo(m, m.file) }

// openDebugFile opens the debugging information in the image's separate debug file.
func openDebugFile(m *image) source { return openDebugInfo(m, m.debugFile()) }

// openDebugInfo names addresses of m by the debugging information in from, which may be nil.
func openDebugInfo(m *image, from *elffile.File) source {
	if from == nil || !debuginfo.Has(from) {
		return nil
	}
	return &dwarf{debuginfo.Open(from, debuginfo.Options{Program: m.file.Name(), Code: m.exec, Dirs: m.debugDirs()})}
}

func (d *dwarf) close() { d.info.Close() }

func (d *dwarf) answer(qs []query) {
	var places []debuginfo.Place
	var asked []int
	for i := range qs {
		if !qs[i].named() {
			places = append(places, debuginfo.Place{Addr: qs[i].addr})
			asked = append(asked, i)
		}
	}
	if len(places) == 0 {
		return
	}
	d.info.Find(places)
	for k := range places {
		p, q := &places[k], &qs[asked[k]]
		if p.File != "" {
			q.file, q.line = p.File, p.Line
		}
		if len(p.Frames) == 0 {
			continue
		}
		frames := make([]Frame, len(p.Frames))
		for i := range p.Frames {
			frames[i] = debugFrame(&p.Frames[i])
		}
		last := len(frames) - 1
		q.wantLinkage = wantsLinkage(&p.Frames[last])
		for i := range p.Aliases {
			if f := debugFrame(&p.Aliases[i]); preferred(f.Function, frames[last].Function) {
				frames[last], q.wantLinkage = f, wantsLinkage(&p.Aliases[i])
			}
		}
		frames[0].File, frames[0].Line = p.File, p.Line
		q.sym = Symbol{Frames: frames, Source: "dwarf"}
	}
}

// wantsLinkage reports whether a function lacks the linkage name that its language gives functions.
func wantsLinkage(f *debuginfo.Frame) bool { return f.Linkage == "" && f.Mangles }

// debugFrame converts the debugging information about a function into a Frame.
func debugFrame(d *debuginfo.Frame) Frame {
	f := Frame{Function: d.Name, Start: d.Start}
	if d.Linkage != "" {
		f = newFrame(d.Linkage, d.Start)
		if f.LinkageName == "" && d.Name != "" && d.Name != d.Linkage {
			// C: the name in the source, and the symbol that an asm label made of it.
			f.Function, f.LinkageName = d.Name, d.Linkage
		}
	}
	f.File, f.Line, f.Inlined = d.File, d.Line, d.Inlined
	return f
}

// preferred reports whether a is a better name than its alias b: without leading "__", then the shorter.
func preferred(a, b string) bool {
	if x, y := strings.HasPrefix(a, "__"), strings.HasPrefix(b, "__"); x != y {
		return y
	}
	return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) < 0
}
