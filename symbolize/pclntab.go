package symbolize

import (
	"encoding/binary"
	"sort"
	"strings"

	"github.com/vmblame/vmblame/internal/elffile"
)

// pclntab is the source that names Go functions by .gopclntab, the table that the Go runtime prints its
// own stack traces from: it is in every Go program, stripped or not (runtime/symtab.go, symtabinl.go; the
// layouts since Go 1.18, inlined calls since Go 1.20).
type pclntab struct {
	f     *elffile.File
	s     *section
	start uint64 // address of the table
	text  uint64 // runtime.text: what function entries count from
	funcs uint64 // number of functions
	go120 bool

	gofunc uint64 // go:func.*, where funcdata counts from; 0 where it is not known

	nameTab, cuTab, fileTab, pcTab, funcTab uint64 // offsets in s
}

const (
	pclnGo118 = 0xfffffff0
	pclnGo120 = 0xfffffff1

	pcdataInlTreeIndex = 2
	funcdataInlTree    = 3
	inlinedCallSize    = 16
	maxPCValues        = 1 << 20 // steps of one pc-value table
)

// openPclntab opens the table of a Go program, nil where there is none of a known layout.
func openPclntab(m *image) source {
	f := m.file
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		sh, ok := f.Section(name)
		if !ok {
			continue
		}
		s, err := openSection(f, name)
		if err != nil {
			continue
		}
		p := &pclntab{f: f, s: s, start: sh.Addr}
		if p.readHeader() {
			return p
		}
		s.close()
	}
	return nil
}

func (p *pclntab) close() { p.s.close() }

func (p *pclntab) readHeader() bool {
	c := cursorAt(p.s, 0, p.s.size)
	magic := c.u32()
	c.u16()
	quantum, ptr := c.u8(), c.u8()
	if (magic != pclnGo118 && magic != pclnGo120) || quantum != 1 || (ptr != 8 && ptr != 4) {
		return false
	}
	p.go120 = magic == pclnGo120
	word := func() uint64 { return c.uint(int(ptr)) }
	p.funcs = word()
	word() // files
	p.text = word()
	p.nameTab, p.cuTab, p.fileTab, p.pcTab, p.funcTab = word(), word(), word(), word(), word()
	size := uint64(p.s.size)
	if c.bad || max(p.nameTab, p.cuTab, p.fileTab, p.pcTab, p.funcTab) > size || p.funcs > (size-p.funcTab)/8 {
		return false
	}
	m := moduleData{f: p.f, pclntab: p.start}
	if m.find() {
		p.text = m.word(wordText)
		if p.go120 {
			p.gofunc = m.word(wordGofunc)
		}
	} else if p.text == 0 { // since Go 1.26 the header does not say
		sh, ok := p.f.Section(".text")
		if !ok {
			return false
		}
		p.text = sh.Addr
	}
	return true
}

func (p *pclntab) answer(qs []query) {
	for i := range qs {
		if q := &qs[i]; !q.named() {
			if frames := p.frames(q.addr); len(frames) > 0 {
				q.sym = Symbol{Frames: frames, Source: "gopclntab"}
			}
		}
	}
}

// A goFunc is the runtime's _func, the description of one function.
type goFunc struct {
	entry                              uint64
	nameOff, pcfile, pcln, npcdata, cu uint32
	nfuncdata                          uint8
	pcdataOff, funcdataOff             uint64 // in s
}

// find returns the function at addr.
func (p *pclntab) find(addr uint64) (fn goFunc, ok bool) {
	if addr < p.text || addr-p.text > 1<<32-1 {
		return fn, false
	}
	pc := uint32(addr - p.text)
	i := sort.Search(int(p.funcs), func(i int) bool { return p.u32(p.funcTab+uint64(i)*8) > pc })
	if i == 0 || i == int(p.funcs) && p.u32(p.funcTab+p.funcs*8) <= pc { // the entry after the last is the end
		return fn, false
	}
	row := p.funcTab + uint64(i-1)*8
	fn.entry = p.text + uint64(p.u32(row))
	off := p.funcTab + uint64(p.u32(row+4))
	if off >= uint64(p.s.size) {
		return fn, false
	}
	c := cursorAt(p.s, int64(off), p.s.size)
	defer c.done()
	entry := c.u32()
	fn.nameOff = c.u32()
	c.skip(12) // args, deferreturn, pcsp
	fn.pcfile, fn.pcln, fn.npcdata, fn.cu = c.u32(), c.u32(), c.u32(), c.u32()
	if p.go120 {
		c.u32() // startLine
	}
	c.skip(3) // funcID, flag, padding
	fn.nfuncdata = c.u8()
	fn.pcdataOff = uint64(c.pos)
	fn.funcdataOff = fn.pcdataOff + 4*uint64(fn.npcdata)
	return fn, !c.bad && p.text+uint64(entry) == fn.entry
}

func (p *pclntab) u32(off uint64) uint32 {
	var b [4]byte
	if off > uint64(p.s.size) || p.s.readAt(b[:], int64(off)) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(b[:])
}

// frames returns the functions at addr, innermost inlined one first.
func (p *pclntab) frames(addr uint64) []Frame {
	fn, ok := p.find(addr)
	if !ok {
		return nil
	}
	if fn.pcln != 0 {
		if _, inside := p.value(&fn, fn.pcln, addr); !inside {
			return nil // the padding after the function, which only the next one's entry bounds
		}
	}
	var list []Frame
	pc := addr
	for range maxInlined {
		f := Frame{Start: fn.entry}
		f.File, f.Line = p.line(&fn, pc)
		call, inlined := p.inlinedAt(&fn, pc)
		if !inlined {
			f.Function = p.s.stringAt(p.nameTab + uint64(fn.nameOff))
			if f.Function == "" || fn.pcln == 0 && strings.HasPrefix(f.Function, "go:") {
				return nil // a mark that the linker sets (go:textfipsstart) reaches over padding
			}
			return append(list, f)
		}
		f.Function = p.s.stringAt(p.nameTab + uint64(call.nameOff))
		f.Inlined = true
		if f.Function == "" {
			return nil
		}
		list = append(list, f)
		pc = fn.entry + uint64(call.parentPC)
	}
	return nil
}

// line is the source position of pc.
func (p *pclntab) line(fn *goFunc, pc uint64) (string, int) {
	line, ok := p.value(fn, fn.pcln, pc)
	file, ok2 := p.value(fn, fn.pcfile, pc)
	if !ok || !ok2 || line <= 0 || file < 0 {
		return "", 0
	}
	off := p.u32(p.cuTab + 4*(uint64(fn.cu)+uint64(file)))
	if off == 1<<32-1 {
		return "", 0
	}
	name := p.s.stringAt(p.fileTab + uint64(off))
	if name == "" {
		return "", 0
	}
	return name, int(line)
}

// value looks up pc in the pc-value table at off: a sequence of differences of value and of pc.
func (p *pclntab) value(fn *goFunc, off uint32, pc uint64) (int32, bool) {
	at := p.pcTab + uint64(off)
	if off == 0 || at >= uint64(p.s.size) {
		return 0, false
	}
	c := cursorAt(p.s, int64(at), p.s.size)
	defer c.done()
	val, end := int32(-1), fn.entry
	for i := 0; i < maxPCValues && c.more(); i++ {
		d := uint32(c.uleb())
		if d == 0 && i > 0 {
			break
		}
		val += int32(d>>1) ^ -int32(d&1)
		end += c.uleb()
		if pc < end && !c.bad {
			return val, true
		}
	}
	return 0, false
}

// An inlinedCall is the runtime's record of a call that was inlined.
type inlinedCall struct {
	nameOff  uint32
	parentPC uint32 // a pc whose position is the call site, counted from the function's entry
}

// inlinedAt returns the innermost call inlined at pc.
func (p *pclntab) inlinedAt(fn *goFunc, pc uint64) (call inlinedCall, ok bool) {
	if p.gofunc == 0 || fn.npcdata <= pcdataInlTreeIndex || fn.nfuncdata <= funcdataInlTree {
		return call, false
	}
	tree := p.u32(fn.funcdataOff + 4*funcdataInlTree)
	if tree == 1<<32-1 {
		return call, false
	}
	i, ok := p.value(fn, p.u32(fn.pcdataOff+4*pcdataInlTreeIndex), pc)
	if !ok || i < 0 {
		return call, false
	}
	var b [inlinedCallSize]byte
	if _, err := p.f.ReadVaddr(b[:], p.gofunc+uint64(tree)+uint64(i)*inlinedCallSize); err != nil {
		return call, false
	}
	return inlinedCall{binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])}, true
}
