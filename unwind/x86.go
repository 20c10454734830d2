package unwind

import "github.com/vmblame/vmblame/internal/elffile"

// instruction is one decoded x86-64 instruction: its length, and what is needed to follow rsp.
type instruction struct {
	length int
	op     uint16 // opcode byte; 0x0f00 | byte for the two-byte map, opEscape for the longer ones
	rex    uint8
	small  bool  // operand size prefix 66
	modrm  uint8 // valid where has is set
	has    bool
	// The memory operand, where has is set and modrm's mod is not 3.
	base  int8 // DWARF number of the base register, -1 for none
	index bool
	disp  int64
	imm   int64 // sign-extended: immediate, or distance of a relative jump
}

const opEscape = 0xffff

// operand says what follows an opcode: a ModRM byte, and an immediate.
type operand uint8

const (
	argNone operand = 0
	argM    operand = 1 << iota // ModRM
	argB                        // 8-bit immediate
	argZ                        // 32-bit immediate, 16-bit with prefix 66
	argD                        // 32-bit distance
	argBad                      // not valid in 64-bit mode, or not handled (VEX, EVEX, far)
)

// oneByte describes the one-byte opcode map (Intel SDM volume 2, table A-2), by rows of 16.
var oneByte = [...]operand{
	0x00: argM, argM, argM, argM, argB, argZ, argBad, argBad, argM, argM, argM, argM, argB, argZ, argBad, argBad,
	0x10: argM, argM, argM, argM, argB, argZ, argBad, argBad, argM, argM, argM, argM, argB, argZ, argBad, argBad,
	0x20: argM, argM, argM, argM, argB, argZ, argBad, argBad, argM, argM, argM, argM, argB, argZ, argBad, argBad,
	0x30: argM, argM, argM, argM, argB, argZ, argBad, argBad, argM, argM, argM, argM, argB, argZ, argBad, argBad,
	// 40-4f are REX prefixes, 50-5f push and pop.
	0x60: argBad, argBad, argBad, argM, argBad, argBad, argBad, argBad, argZ, argM | argZ, argB, argM | argB,
	0x70: argB, argB, argB, argB, argB, argB, argB, argB, argB, argB, argB, argB, argB, argB, argB, argB,
	0x80: argM | argB, argM | argZ, argBad, argM | argB, argM, argM, argM, argM, argM, argM, argM, argM, argM, argM, argM, argM,
	0x9a: argBad,
	0xa8: argB, argZ,
	0xb0: argB, argB, argB, argB, argB, argB, argB, argB, // b8-bf depend on REX.W
	0xc0: argM | argB, argM | argB, argBad, argNone, argBad, argBad, argM | argB, argM | argZ, argBad, argNone, argBad, argBad,
	argNone, argB, argBad, argNone,
	0xd0: argM, argM, argM, argM, argBad, argBad, argBad, argNone, argM, argM, argM, argM, argM, argM, argM, argM,
	0xe0: argB, argB, argB, argB, argB, argB, argB, argB, argD, argD, argBad, argB,
	0xf0: argBad, argNone, argBad, argBad, argNone, argNone, argM, argM, 0xfe: argM, argM,
}

// twoByte describes the two-byte opcode map after 0f (table A-3).
func twoByte(b uint8) operand {
	switch {
	case b == 0x05, b == 0x0b, b == 0x31, b == 0x77, b == 0xa2, b >= 0xc8 && b <= 0xcf:
		return argNone
	case b >= 0x80 && b <= 0x8f:
		return argD
	case b >= 0x70 && b <= 0x73, b == 0xa4, b == 0xac, b == 0xba, b == 0xc2, b >= 0xc4 && b <= 0xc6:
		return argM | argB
	case b == 0x0d, b >= 0x10 && b <= 0x1f, b >= 0x28 && b <= 0x2f, b >= 0x40 && b <= 0x6f, b >= 0x74 && b <= 0x76,
		b >= 0x7c && b <= 0x7f, b >= 0x90 && b <= 0x9f, b == 0xa3, b == 0xa5, b == 0xab,
		b >= 0xad && b <= 0xb1, b == 0xb3, b >= 0xb6 && b <= 0xb8, b >= 0xbb && b <= 0xc1, b == 0xc3, b == 0xc7,
		b >= 0xd0 && b <= 0xfe:
		return argM
	}
	return argBad
}

// decode reads the instruction at the beginning of code, which should hold 15 bytes. ok is false for instructions
// that compilers do not emit in ordinary functions, among them AVX and later.
func decode(code []byte) (x instruction, ok bool) {
	c := elffile.CursorOver(code)
	op := c.U8()
	for op == 0x66 || op == 0xf2 || op == 0xf3 || op == 0xf0 || op == 0x2e || op == 0x3e || op == 0x64 || op == 0x65 {
		x.small = x.small || op == 0x66
		if op = c.U8(); int(c.Pos()) > 14 {
			return x, false
		}
	}
	if op&0xf0 == 0x40 {
		x.rex = op
		op = c.U8()
	}
	x.op = uint16(op)
	var arg operand
	switch {
	case op == 0x0f:
		op = c.U8()
		x.op = 0x0f00 | uint16(op)
		switch op {
		case 0x38:
			c.U8()
			x.op, arg = opEscape, argM
		case 0x3a:
			c.U8()
			x.op, arg = opEscape, argM|argB
		default:
			arg = twoByte(op)
		}
	case op >= 0xa0 && op <= 0xa3:
		c.U64()
	case op >= 0xb8 && op <= 0xbf && x.rex&8 != 0:
		c.U64()
	case op >= 0xb8 && op <= 0xbf:
		arg = argZ
	default:
		arg = oneByte[op]
	}
	if arg == argBad {
		return x, false
	}
	if arg&argM != 0 {
		x.operandModRM(&c)
		if x.modrm>>3&7 < 2 { // test: alone in its group to have an immediate
			switch x.op {
			case 0xf6:
				arg |= argB
			case 0xf7:
				arg |= argZ
			}
		}
	}
	switch {
	case arg&argB != 0:
		x.imm = int64(int8(c.U8()))
	case arg&argZ != 0 && x.small:
		x.imm = int64(int16(c.U16()))
	case arg&(argZ|argD) != 0:
		x.imm = int64(int32(c.U32()))
	}
	x.length = int(c.Pos())
	return x, !c.Bad()
}

func (x *instruction) operandModRM(c *elffile.Cursor) {
	x.has, x.base = true, -1
	x.modrm = c.U8()
	mod, rm := x.modrm>>6, x.modrm&7
	if mod == 3 {
		return
	}
	base, rip := rm, false
	if rm == 4 {
		sib := c.U8()
		base = sib & 7
		x.index = sib>>3&7 != 4 || x.rex&2 != 0
	} else {
		rip = mod == 0 && rm == 5
	}
	none := mod == 0 && base == 5
	switch {
	case mod == 1:
		x.disp = int64(int8(c.U8()))
	case mod == 2, none:
		x.disp = int64(int32(c.U32()))
	}
	if !none && !rip {
		x.base = int8(dwarfOf[base|x.rex&1<<3])
	}
}

// dwarfOf translates the instruction set's register numbers into those of DWARF.
var dwarfOf = [...]uint8{RegRAX, RegRCX, RegRDX, RegRBX, RegRSP, RegRBP, RegRSI, RegRDI,
	RegR8, RegR9, RegR10, RegR11, RegR12, RegR13, RegR14, RegR15}

// reg and rm are the DWARF numbers of the two register operands; rm is valid where mod is 3.
func (x *instruction) reg() uint8 { return dwarfOf[x.modrm>>3&7|x.rex<<1&8] }
func (x *instruction) rm() uint8  { return dwarfOf[x.modrm&7|x.rex<<3&8] }

// direct reports whether the instruction has a ModRM byte that names a register, not memory.
func (x *instruction) direct() bool {
	return x.has && x.modrm>>6 == 3
}
