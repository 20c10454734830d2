package symbolize

import (
	"debug/dwarf"
	"debug/elf"
	"strings"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
	"github.com/go-delve/delve/pkg/dwarf/reader"
	"github.com/go-delve/delve/pkg/proc"

	"github.com/vmblame/vmblame/internal/elffile"
)

// maxGoInfo is the size of .debug_info, in bytes as stored, up to which a Go image goes through delve,
// which loads the debugging information whole, into about ten times the memory. That of larger images is
// read by unit like any other.
const maxGoInfo = 2 << 20

// goImage is the source that names Go code by DWARF as delve reads it: functions, inlined calls, file and
// line. C code in the same image is left to the other sources.
type goImage struct {
	f     *elffile.File
	tried bool
	data  *dwarf.Data
	bi    *proc.BinaryInfo
	units map[dwarf.Offset]*goUnit
	trees map[dwarf.Offset]*godwarf.Tree
}

// openGoImage returns the source for a Go program with DWARF of its own; it loads nothing yet.
func openGoImage(f *elffile.File, _ Options) source {
	_, goProgram := f.Section(".gopclntab")
	if !goProgram {
		_, goProgram = f.Section(".data.rel.ro.gopclntab")
	}
	sh, ok := f.Section(".debug_info")
	if !goProgram || !ok || sh.FileSize > maxGoInfo {
		return nil
	}
	return &goImage{f: f, units: make(map[dwarf.Offset]*goUnit),
		trees: make(map[dwarf.Offset]*godwarf.Tree)}
}

func (g *goImage) close() {}

// load reads the image. delve may panic on malformed bytes; then the image has no names from here.
func (g *goImage) load() {
	g.tried = true
	defer func() {
		if recover() != nil {
			g.bi = nil
		}
	}()
	e, err := elf.NewFile(g.f)
	if err != nil {
		return
	}
	if g.data, err = e.DWARF(); err != nil {
		return
	}
	var lines []byte
	if s := e.Section(".debug_line"); s != nil {
		if lines, err = s.Data(); err != nil {
			return
		}
	}
	bi := proc.NewBinaryInfo("linux", "amd64", false)
	bi.LoadImageFromData(g.data, nil, lines, nil)
	g.bi = bi
}

func (g *goImage) answer(qs []query) {
	if !g.tried {
		g.load()
	}
	if g.bi == nil {
		return
	}
	for i := range qs {
		if q := &qs[i]; !q.named() {
			if frames := g.frames(q.addr); len(frames) > 0 {
				q.sym = Symbol{Frames: frames, Source: "dwarf"}
			}
		}
	}
}

// frames returns the functions at pc, innermost inlined one first.
func (g *goImage) frames(pc uint64) (frames []Frame) {
	defer func() {
		if recover() != nil {
			frames = nil
		}
	}()
	file, line, fn := g.bi.PCToLine(pc)
	if fn == nil || pc < fn.Entry || pc >= fn.End || strings.HasPrefix(fn.Name, "C.") {
		return nil
	}
	last := Frame{Function: fn.Name, Start: fn.Entry, File: file, Line: line}
	unit, tree := g.tree(fn.Entry)
	if tree == nil {
		return []Frame{last}
	}
	for _, n := range reader.InlineStack(tree, pc) { // innermost first
		f := Frame{Start: fn.Entry, File: last.File, Line: last.Line, Inlined: true}
		f.Function, _ = n.Val(dwarf.AttrName).(string)
		if f.Function == "" {
			return frames
		}
		for _, r := range n.Ranges {
			if pc >= r[0] && pc < r[1] {
				f.Start = r[0]
			}
		}
		frames = append(frames, f)
		callFile, _ := n.Val(dwarf.AttrCallFile).(int64)
		callLine, _ := n.Val(dwarf.AttrCallLine).(int64)
		last.File, last.Line = "", 0
		if callFile > 0 && callFile < int64(len(unit.files)) && unit.files[callFile] != nil {
			last.File, last.Line = unit.files[callFile].Name, int(callLine)
		}
	}
	return append(frames, last)
}

// A goUnit is a compilation unit: where its functions' entries stand, and its files.
type goUnit struct {
	funcs map[uint64]dwarf.Offset
	files []*dwarf.LineFile
}

// tree returns the inlined calls of the function with that entry, nil if they cannot be read.
func (g *goImage) tree(entry uint64) (*goUnit, *godwarf.Tree) {
	r := g.data.Reader()
	cu, err := r.SeekPC(entry)
	if err != nil {
		return nil, nil
	}
	unit, ok := g.units[cu.Offset]
	if !ok {
		unit = g.readUnit(r, cu)
		g.units[cu.Offset] = unit
	}
	off, ok := unit.funcs[entry]
	if !ok {
		return nil, nil
	}
	tree, ok := g.trees[off]
	if !ok {
		if tree, err = godwarf.LoadTree(off, g.data, 0); err != nil {
			tree = nil
		}
		g.trees[off] = tree
	}
	return unit, tree
}

// readUnit lists the functions of a unit; the Go compiler writes them as its direct children.
func (g *goImage) readUnit(r *dwarf.Reader, cu *dwarf.Entry) *goUnit {
	u := &goUnit{funcs: make(map[uint64]dwarf.Offset)}
	for {
		e, err := r.Next()
		if err != nil || e == nil || e.Tag == 0 {
			break
		}
		if low, ok := e.Val(dwarf.AttrLowpc).(uint64); ok && e.Tag == dwarf.TagSubprogram {
			u.funcs[low] = e.Offset
		}
		r.SkipChildren()
	}
	if lines, err := g.data.LineReader(cu); err == nil && lines != nil {
		u.files = lines.Files()
	}
	return u
}
