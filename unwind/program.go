package unwind

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/elffile"
)

// Opcodes of call frame instructions (DWARF 5 section 7.24).
const (
	cfaAdvanceLoc = 0x40 // with the delta in the low six bits
	cfaOffset     = 0x80
	cfaRestore    = 0xc0

	cfaNop            = 0x00
	cfaSetLoc         = 0x01
	cfaAdvanceLoc1    = 0x02
	cfaAdvanceLoc2    = 0x03
	cfaAdvanceLoc4    = 0x04
	cfaOffsetExtended = 0x05
	cfaRestoreExt     = 0x06
	cfaUndefined      = 0x07
	cfaSameValue      = 0x08
	cfaRegister       = 0x09
	cfaRememberState  = 0x0a
	cfaRestoreState   = 0x0b
	cfaDefCFA         = 0x0c
	cfaDefCFAReg      = 0x0d
	cfaDefCFAOffset   = 0x0e
	cfaDefCFAExpr     = 0x0f
	cfaExpression     = 0x10
	cfaOffsetExtSF    = 0x11
	cfaDefCFASF       = 0x12
	cfaDefCFAOffsetSF = 0x13
	cfaValOffset      = 0x14
	cfaValOffsetSF    = 0x15
	cfaValExpression  = 0x16
	cfaGNUArgsSize    = 0x2e
)

const (
	maxCFIRegister = 160 // the highest number the x86-64 ABI gives is 129
	maxRemembered  = 64
	maxExpression  = 512
)

// program is what check found in call frame instructions.
type program struct {
	undefinedRA bool // the return address is declared undefined somewhere
	depth       int  // states remembered
}

// check walks call frame instructions without executing them. The interpreter that executes them trusts its input: it
// keeps every register number it meets and copies them all at each remember_state, so that a few kilobytes can claim
// gigabytes. Programs that pass are cheap to execute. Instructions that the interpreter gets wrong are errors.
func (p *program) check(code []byte) error {
	c := elffile.CursorOver(code)
	reg := func() uint64 {
		r := c.Uleb()
		if r > maxCFIRegister {
			c.Fail()
		}
		return r
	}
	expr := func() {
		if n := c.Uleb(); n > maxExpression || c.Bytes(int(n)) == nil && n > 0 {
			c.Fail()
		}
	}
	for c.More() {
		op := c.U8()
		switch op & 0xc0 {
		case cfaAdvanceLoc, cfaRestore:
			continue
		case cfaOffset:
			c.Uleb()
			continue
		}
		switch op {
		case cfaNop:
		case cfaAdvanceLoc1:
			c.U8()
		case cfaAdvanceLoc2:
			c.U16()
		case cfaAdvanceLoc4:
			c.U32()
		case cfaUndefined:
			if reg() == RegRIP {
				p.undefinedRA = true
			}
		case cfaSameValue, cfaRestoreExt, cfaDefCFAReg:
			reg()
		case cfaOffsetExtended, cfaDefCFA, cfaValOffset:
			reg()
			c.Uleb()
		case cfaOffsetExtSF, cfaDefCFASF, cfaValOffsetSF:
			reg()
			c.Sleb()
		case cfaRegister:
			reg()
			reg()
		case cfaRememberState:
			if p.depth++; p.depth > maxRemembered {
				return fmt.Errorf("%d states remembered", p.depth)
			}
		case cfaRestoreState:
			if p.depth--; p.depth < 0 {
				return fmt.Errorf("restore_state without remember_state")
			}
		case cfaDefCFAOffset, cfaGNUArgsSize:
			c.Uleb()
		case cfaDefCFAOffsetSF:
			c.Sleb()
		case cfaDefCFAExpr:
			expr()
		case cfaExpression, cfaValExpression:
			reg()
			expr()
		default:
			return fmt.Errorf("call frame instruction %#x is not supported", op)
		}
	}
	if c.Bad() {
		return fmt.Errorf("call frame instructions are malformed")
	}
	return nil
}
