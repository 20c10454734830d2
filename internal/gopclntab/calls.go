package gopclntab

import (
	"encoding/binary"
	"strings"
)

const (
	pcdataInlTreeIndex = 2
	funcdataInlTree    = 3
	inlinedCallSize    = 16
	maxInlined         = 256
	none               = 1<<32 - 1
)

// A Call is one function of a chain of inlined calls.
type Call struct {
	Function string
	// File and Line are the position of the pc; for a call that is not the innermost, of the call to the next inner
	// one; "" and 0 if unknown.
	File    string
	Line    int
	Inlined bool
}

// Named reports whether Calls supports the table's layout: since Go 1.18.
func (t *Table) Named() bool { return t.version >= go118 }

// Calls returns the functions at pc, innermost inlined one first, and where the outermost begins; none if no function
// contains pc. Inlined calls are supported since Go 1.20.
func (t *Table) Calls(pc uint64) (calls []Call, start uint64) {
	fn, ok := t.Find(pc)
	if !ok {
		return nil, 0
	}
	if fn.pcln != 0 {
		if _, inside := t.value(&fn, fn.pcln, pc); !inside {
			return nil, 0 // padding after the function, which ends at the next one's entry
		}
	}
	for range maxInlined {
		var c Call
		c.File, c.Line = t.line(&fn, pc)
		inner, inlined := t.inlinedAt(&fn, pc)
		if !inlined {
			c.Function = t.Name(&fn)
			if c.Function == "" || fn.pcln == 0 && strings.HasPrefix(c.Function, "go:") {
				return nil, 0 // a linker marker (go:textfipsstart) that covers padding
			}
			return append(calls, c), fn.Entry
		}
		c.Function = t.mem.String(t.names+uint64(inner.name), t.end)
		c.Inlined = true
		if c.Function == "" {
			return nil, 0
		}
		calls = append(calls, c)
		pc = fn.Entry + uint64(inner.parentPC)
	}
	return nil, 0
}

// line is the source position of pc.
func (t *Table) line(fn *Func, pc uint64) (string, int) {
	line, ok := t.value(fn, fn.pcln, pc)
	file, ok2 := t.value(fn, fn.pcfile, pc)
	if !ok || !ok2 || line <= 0 || file < 0 {
		return "", 0
	}
	off, ok := t.u32(t.units + 4*(uint64(fn.unit)+uint64(file)))
	if !ok || off == none {
		return "", 0
	}
	name := t.mem.String(t.files+uint64(off), t.end)
	if name == "" {
		return "", 0
	}
	return name, int(line)
}

func (t *Table) u32(at uint64) (uint32, bool) {
	b := t.mem.Bytes(at, 4)
	if b == nil {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

// An inlinedCall is the runtime's record of a call that was inlined.
type inlinedCall struct {
	name     uint32
	parentPC uint32 // a pc whose position is the call site, counted from the function's entry
}

// inlinedAt returns the innermost call inlined at pc.
func (t *Table) inlinedAt(fn *Func, pc uint64) (call inlinedCall, ok bool) {
	if t.version < go120 || fn.npcdata <= pcdataInlTreeIndex || fn.nfuncdata <= funcdataInlTree {
		return call, false
	}
	m := t.moduleData()
	if !m.found || m.words[wordGofunc] == 0 {
		return call, false
	}
	tree, ok1 := t.u32(fn.funcdata + 4*funcdataInlTree)
	values, ok2 := t.u32(fn.pcdata + 4*pcdataInlTreeIndex)
	if !ok1 || !ok2 || tree == none {
		return call, false
	}
	i, ok := t.value(fn, values, pc)
	if !ok || i < 0 {
		return call, false
	}
	b := t.mem.Bytes(m.words[wordGofunc]+uint64(tree)+uint64(i)*inlinedCallSize, inlinedCallSize)
	if b == nil {
		return call, false
	}
	return inlinedCall{binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])}, true
}
