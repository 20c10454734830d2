package unwind

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/go-delve/delve/pkg/dwarf/frame"
	"github.com/go-delve/delve/pkg/dwarf/op"

	"github.com/vmblame/vmblame/internal/ehframe"
	"github.com/vmblame/vmblame/internal/elffile"
)

// Only this file uses delve: its interpreters of call frame instructions and of DWARF expressions, for one entry at a
// time. Their known bugs are corrected or avoided here.

var errNotCovered = errors.New("no entry covers the pc")

// interpret computes the row of pc from an unwind table entry, or returns errNotCovered if the entry is for other
// pcs. It sets flagEntry if the entry also covers start.
func interpret(e *ehframe.Entry, pc, start uint64) (row, error) {
	buf, base := pack(e)
	list, err := frame.Parse(buf, binary.LittleEndian, 0, 8, base)
	if err != nil {
		return row{}, err
	}
	if len(list) != 1 {
		return row{}, fmt.Errorf("%d entries where one was given", len(list))
	}
	d := list[0]
	if !d.Cover(pc) {
		return row{}, errNotCovered
	}
	if d.CIE.ReturnAddressRegister != RegRIP {
		return row{}, fmt.Errorf("the return address is in column %d", d.CIE.ReturnAddressRegister)
	}
	var p program
	if err := p.check(d.CIE.InitialInstructions); err != nil {
		return row{}, err
	}
	if err := p.check(d.Instructions); err != nil {
		return row{}, err
	}
	ctx, err := d.EstablishFrame(pc)
	if err != nil {
		return row{}, err
	}
	r, err := convert(ctx, &p)
	if strings.Contains(d.CIE.Augmentation, "S") {
		r.flags |= flagSignal
	}
	if d.Cover(start) {
		r.flags |= flagEntry
	}
	return r, err
}

// pack builds a section of just these two entries, and returns the address at which it would have to be mapped for
// the entry's pc-relative pointers to be right.
func pack(e *ehframe.Entry) (buf []byte, base uint64) {
	cie := e.CIE
	if !e.EH {
		cie = plainCIE(cie)
	}
	buf = make([]byte, 0, len(cie)+len(e.FDE))
	buf = append(append(buf, cie...), e.FDE...)
	pointer := uint32(0) // .debug_frame: the offset of the CIE in the section
	if e.EH {
		pointer = uint32(len(cie)) + 4 // .eh_frame: from this field back to the CIE
		base = e.Vaddr - uint64(len(cie))
	}
	binary.LittleEndian.PutUint32(buf[len(cie)+4:], pointer)
	return buf, base
}

// plainCIE rewrites a version 4 CIE as version 3, since the parser does not know its two added fields (address size,
// segment size).
func plainCIE(cie []byte) []byte {
	const version = 8 // after length and id
	if len(cie) < version+5 || cie[version] != 4 || cie[version+1] != 0 || cie[version+2] != 8 || cie[version+3] != 0 {
		return cie
	}
	out := append([]byte(nil), cie[:version+2]...)
	out = append(out, cie[version+4:]...)
	out[version] = 3
	binary.LittleEndian.PutUint32(out, uint32(len(out)-4))
	return out
}

func convert(ctx *frame.FrameContext, p *program) (row, error) {
	r := row{kind: kindCFA, ra: -8}
	for i := range r.saved {
		r.saved[i] = sameValue
	}
	var set ruleSet
	switch c := ctx.CFA; c.Rule {
	case frame.RuleCFA:
		if c.Reg > RegRIP {
			return r, fmt.Errorf("the CFA is based on register %d", c.Reg)
		}
		set.cfa = rule{kind: ruleReg, reg: uint8(c.Reg), off: c.Offset}
		r.cfaReg, r.cfaOff = uint8(c.Reg), int32(c.Offset)
		if int64(r.cfaOff) != c.Offset {
			r.kind = kindRules
		}
	case frame.RuleExpression:
		x, err := classify(c.Expression, true)
		if err != nil {
			return r, err
		}
		set.cfa = x
		r.kind = kindRules
	default:
		return r, errors.New("no rule for the CFA")
	}
	hasRA := false
	for reg, d := range ctx.Regs {
		if reg > RegRIP {
			continue
		}
		if d.Rule == frame.RuleUndefined && reg == RegRIP && !p.undefinedRA {
			// The interpreter wrongly makes a restored register "undefined" if the CIE describes it.
			d = frame.DWRule{Rule: frame.RuleOffset, Offset: -8}
		}
		var x rule
		var err error
		switch d.Rule {
		case frame.RuleUndefined:
			if reg == RegRIP {
				return row{kind: kindEnd, end: UndefinedRA}, nil
			}
			continue // same value, see above
		case frame.RuleSameVal:
			if reg == RegRIP {
				return r, errors.New("the return address is its own")
			}
			continue
		case frame.RuleOffset:
			x = rule{kind: ruleAtCFA, off: d.Offset}
		case frame.RuleValOffset:
			x = rule{kind: ruleCFAPlus, off: d.Offset}
		case frame.RuleRegister:
			if d.Reg > RegRIP {
				return r, fmt.Errorf("register %d is in register %d", reg, d.Reg)
			}
			x = rule{kind: ruleReg, reg: uint8(d.Reg)}
		case frame.RuleExpression:
			x, err = classify(d.Expression, false)
		case frame.RuleValExpression:
			x, err = classify(d.Expression, true)
		default:
			err = fmt.Errorf("register %d has rule %d", reg, d.Rule)
		}
		if err != nil {
			return r, err
		}
		set.regs = append(set.regs, regRule{uint8(reg), x})
		hasRA = hasRA || reg == RegRIP
		if !r.keep(uint8(reg), x) {
			r.kind = kindRules
		}
	}
	if r.kind == kindRules {
		if !hasRA {
			set.regs = append(set.regs, regRule{RegRIP, rule{kind: ruleAtCFA, off: -8}})
		}
		r.rules = &set
	}
	return r, nil
}

// keep stores the rule in the row's short form, and reports whether it fits there.
func (r *row) keep(reg uint8, x rule) bool {
	if reg == RegRSP && x.kind == ruleCFAPlus && x.off == 0 {
		return true // the default
	}
	if x.kind != ruleAtCFA || x.off <= math.MinInt32 || x.off > math.MaxInt32 {
		return false
	}
	if reg == RegRIP {
		r.ra = int32(x.off)
		return true
	}
	for i, s := range savedRegs {
		if s == reg {
			r.saved[i] = int32(x.off)
			return true
		}
	}
	return false
}

// classify turns the usual expressions (register plus constant, and the word there) into plain rules and checks the
// others. value reports whether the result is the value itself, not its address.
func classify(expr []byte, value bool) (rule, error) {
	c := elffile.CursorOver(expr)
	if b := c.U8(); b >= byte(op.DW_OP_breg0) && b <= byte(op.DW_OP_breg0)+RegRIP {
		reg, off := b-byte(op.DW_OP_breg0), c.Sleb()
		switch {
		case c.Bad():
		case c.Len() == 0 && value:
			return rule{kind: ruleReg, reg: reg, off: off}, nil
		case c.Len() == 0:
			return rule{kind: ruleAtReg, reg: reg, off: off}, nil
		case c.Len() == 1 && c.U8() == byte(op.DW_OP_deref) && value:
			return rule{kind: ruleAtReg, reg: reg, off: off}, nil
		}
	}
	if err := checkExpression(expr); err != nil {
		return rule{}, err
	}
	x := rule{kind: ruleAtExpr, expr: append([]byte(nil), expr...)}
	if value {
		x.kind = ruleExpr
	}
	return x, nil
}

// checkExpression refuses operations that make no sense in unwinding, among them those that make the interpreter
// allocate as much as their operand says.
func checkExpression(expr []byte) error {
	if len(expr) == 0 || len(expr) > maxExpression {
		return fmt.Errorf("expression of %d bytes", len(expr))
	}
	c := elffile.CursorOver(expr)
	jumps := false
	for c.More() {
		switch o := op.Opcode(c.U8()); {
		case o == op.DW_OP_addr, o == op.DW_OP_const8u, o == op.DW_OP_const8s:
			c.U64()
		case o == op.DW_OP_const4u, o == op.DW_OP_const4s:
			c.U32()
		case o == op.DW_OP_const2u, o == op.DW_OP_const2s:
			c.U16()
		case o == op.DW_OP_bra, o == op.DW_OP_skip:
			c.U16()
			jumps = true
		case o == op.DW_OP_const1u, o == op.DW_OP_const1s, o == op.DW_OP_pick, o == op.DW_OP_deref_size:
			c.U8()
		case o == op.DW_OP_constu, o == op.DW_OP_consts, o == op.DW_OP_plus_uconst,
			o >= op.DW_OP_breg0 && o <= op.DW_OP_breg0+31:
			c.Uleb()
		case o == op.DW_OP_bregx:
			c.Uleb()
			c.Uleb()
		case o == op.DW_OP_xderef:
			return fmt.Errorf("operation %#x in an expression", byte(o))
		case o == op.DW_OP_nop, o >= op.DW_OP_deref && o <= op.DW_OP_lit31:
			// No operands: the cases above took those that have some.
		default:
			return fmt.Errorf("operation %#x in an expression", byte(o))
		}
	}
	if c.Bad() {
		return errors.New("an expression is cut")
	}
	if jumps && strings.IndexByte(string(expr), byte(op.DW_OP_implicit_value)) >= 0 {
		return errors.New("an expression may jump into an operand")
	}
	return nil
}

// evaluate runs an expression. initial, if not nil, is pushed first (the CFA, for a register's rule).
func evaluate(expr []byte, regs *Regs, initial *uint64, w *window) (value uint64, ok bool) {
	defer func() {
		if recover() != nil { // a division by zero, say
			value, ok = 0, false
		}
	}()
	var store [len(Regs{})]op.DwarfRegister
	var list [len(Regs{})]*op.DwarfRegister
	for i, v := range regs {
		store[i].Uint64Val = v
		list[i] = &store[i]
	}
	if initial != nil {
		e := make([]byte, 9, 9+len(expr))
		e[0] = byte(op.DW_OP_const8u)
		binary.LittleEndian.PutUint64(e[1:], *initial)
		expr = append(e, expr...)
	}
	dr := op.NewDwarfRegisters(0, list[:], binary.LittleEndian, RegRIP, RegRSP, RegRBP, 0)
	v, pieces, err := op.ExecuteStackProgram(*dr, expr, 8, func(p []byte, addr uint64) (int, error) {
		if !w.bytes(addr, p) {
			return 0, errors.New("memory is not readable")
		}
		return len(p), nil
	})
	return uint64(v), err == nil && pieces == nil
}
