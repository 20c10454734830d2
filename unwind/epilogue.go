package unwind

import (
	"debug/elf"
	"slices"

	"github.com/vmblame/vmblame/internal/vm"
)

// Code without tables still determines where its return address is: on every path from pc to a ret, the stack pointer
// must come out the same. So the instructions from pc on are followed, both ways at each conditional jump, and their
// effects on rsp are added up. musl's functions, built without tables and without frame pointers, are unwound this
// way.
//
// Calls are assumed to return; since some do not (abort), paths with fewer calls go first, and all paths with as few
// must agree. A path that runs on into the next function ends with rsp unchanged and is recognised by that: the ABI
// aligns rsp to 16 bytes at calls, so no caller's return address can be at rsp itself. The return address found is
// accepted only if it follows a call instruction.

const (
	maxFollowed  = 1500 // instructions followed from one pc
	maxCallsOver = 12   // calls stepped over on one path
	maxSlots     = 24   // stored words remembered on one path
)

// place is an address in terms of the registers at pc.
type place struct {
	known bool
	base  uint8 // RegRSP or RegRBP
	off   int64
}

// value is what a register or a word of the stack holds.
type value struct {
	kind valueKind
	at   place // where it was loaded from, or the address it is
}

type valueKind uint8

const (
	valueOther   valueKind = iota // not known; for a preserved register at a ret: unchanged, by the ABI
	valueAddress                  // an address of the stack
	valueLoaded                   // the contents of memory at a place when pc was reached
)

// way is one path through the code.
type way struct {
	pc    uint64
	sp    place
	regs  [len(savedRegs)]value
	slots []slot // copied before it is changed: paths share it
}

type slot struct {
	at place
	value
}

// epilogue finds the rules of the code at at by following it to its ret. m.mu is held.
func (m *Module) epilogue(at vm.CodeAddr) *ruleSet {
	start := way{pc: at.PC, sp: place{true, RegRSP, 0}}
	start.regs[savedIndex(RegRBP)] = value{valueAddress, place{true, RegRBP, 0}}
	level, next := []way{start}, []way(nil)
	seen := make(map[uint64]bool)
	budget := maxFollowed
	for range maxCallsOver {
		var found *way
		for len(level) > 0 {
			w := level[0]
			level = level[1:]
			for budget > 0 {
				if seen[w.pc] || !m.executable(w.pc) {
					break
				}
				seen[w.pc] = true
				budget--
				x, ok := decode(m.mem.Bytes(w.pc, 15))
				if !ok {
					break
				}
				what := w.follow(&x)
				if what == stepRet && at.Call && w.sp.base == RegRSP && w.sp.off%16 != 8 {
					break
				}
				if what == stepRet {
					if found == nil {
						found = &w
					} else if found.sp != w.sp {
						return nil
					}
					break
				}
				if what == stepBranch {
					other := w
					other.pc += uint64(x.imm)
					level = append(level, other)
				}
				if what == stepCall {
					next = append(next, w)
				}
				if what == stepCall || what == stepStop {
					break
				}
			}
		}
		if found != nil {
			return found.rules()
		}
		level, next = next, nil
		if len(level) == 0 || budget == 0 {
			break
		}
	}
	return nil
}

// executable reports whether pc lies in an executable segment of the file.
func (m *Module) executable(pc uint64) bool {
	for _, p := range m.file.Progs() {
		if p.Type == elf.PT_LOAD && p.Flags&elf.PF_X != 0 && pc >= p.Vaddr && pc-p.Vaddr < p.Filesz {
			return true
		}
	}
	return false
}

type stepKind uint8

const (
	stepNext   stepKind = iota // go on at w.pc
	stepBranch                 // go on at w.pc, and at the jump's target
	stepCall                   // a call has been stepped over
	stepRet                    // w.sp is the address of the return address
	stepStop                   // this path cannot be followed further
)

// follow executes one instruction and moves w past it, or to its jump target.
func (w *way) follow(x *instruction) stepKind {
	w.pc += uint64(x.length)
	switch op := x.op; {
	case op >= 0x50 && op <= 0x57: // push
		w.push(w.get(dwarfOf[op&7|uint16(x.rex)<<3&8]))
	case op == 0x68, op == 0x6a, op == 0x9c:
		w.push(value{})
	case op >= 0x58 && op <= 0x5f: // pop
		w.pop(dwarfOf[op&7|uint16(x.rex)<<3&8])
	case op == 0x9d:
		w.sp.off += 8
	case op == 0xc9: // leave
		if !w.setSP(w.get(RegRBP)) {
			return stepStop
		}
		w.pop(RegRBP)
	case op == 0xc3:
		if w.stored(w.sp) >= 0 {
			return stepStop // it returns to a value pushed on this path
		}
		return stepRet
	case op == 0xe8:
		return stepCall
	case op == 0xe9, op == 0xeb:
		w.pc += uint64(x.imm)
	case op >= 0x70 && op <= 0x7f, op >= 0x0f80 && op <= 0x0f8f, op >= 0xe0 && op <= 0xe3:
		return stepBranch
	case op == 0xff && x.modrm>>3&7 == 2:
		return stepCall
	case op == 0xff && x.modrm>>3&7 == 6:
		w.push(value{})
	case op == 0xff && x.modrm>>3&7 > 2, op == 0x8f, op == 0xcc, op == 0xf4, op == 0x0f0b, op == 0xc2, op == 0xcf:
		return stepStop // jumps through memory, traps and the like
	case (op == 0x81 || op == 0x83) && x.direct() && x.rm() == RegRSP:
		switch x.modrm >> 3 & 7 {
		case 0:
			w.sp.off += x.imm
		case 5:
			w.sp.off -= x.imm
		case 7: // cmp
		default:
			return stepStop
		}
	case op == 0x8d: // lea
		at := w.address(x)
		if x.reg() == RegRSP {
			if !at.known {
				return stepStop
			}
			w.sp = at
			break
		}
		w.set(x.reg(), value{valueAddress, at})
	case op == 0x89, op == 0x8b: // mov
		return w.move(x)
	case x.has && op < 0x0f00 && op&1 == 1 && w.writesSP(x):
		return stepStop
	}
	return stepNext
}

// move follows mov between registers, and between a register and the stack.
func (w *way) move(x *instruction) stepKind {
	from, to := x.reg(), x.reg()
	if x.direct() {
		if x.op == 0x89 {
			to = x.rm()
		} else {
			from = x.rm()
		}
		if to == RegRSP {
			if x.rex&8 == 0 || !w.setSP(w.get(from)) {
				return stepStop
			}
			return stepNext
		}
		w.set(to, w.get(from))
		return stepNext
	}
	if to == RegRSP && x.op == 0x8b {
		return stepStop
	}
	at := w.address(x)
	switch {
	case x.op == 0x89:
		if at.known && !w.store(at, w.get(from)) {
			return stepStop
		}
	case at.known && x.rex&8 != 0:
		w.set(to, w.load(at))
	default:
		w.set(to, value{})
	}
	return stepNext
}

// writesSP reports whether an instruction not otherwise followed may change rsp.
func (w *way) writesSP(x *instruction) bool {
	switch op := x.op; {
	case op == 0x85, op&0xf8 == 0x38, op == 0xf7 && x.modrm>>3&7 < 2: // test, cmp
		return false
	case op == 0x69, op == 0x6b, op == 0x63, op < 0x40 && op&2 != 0:
		return x.reg() == RegRSP
	default:
		return x.direct() && x.rm() == RegRSP || op == 0x87 && x.reg() == RegRSP
	}
}

func savedIndex(reg uint8) int { return slices.Index(savedRegs[:], reg) }

func (w *way) get(reg uint8) value {
	if reg == RegRSP {
		return value{valueAddress, w.sp}
	}
	if i := savedIndex(reg); i >= 0 {
		return w.regs[i]
	}
	return value{}
}

func (w *way) set(reg uint8, v value) {
	if v.kind == valueAddress && !v.at.known {
		v = value{}
	}
	if i := savedIndex(reg); i >= 0 {
		w.regs[i] = v
	}
}

// setSP sets rsp to v, and reports whether v is a known address of the stack; if not, rsp stays.
func (w *way) setSP(v value) bool {
	if v.kind != valueAddress || !v.at.known {
		return false
	}
	w.sp = v.at
	return true
}

// address is the place that a memory operand refers to, unknown unless it is certainly on the stack.
func (w *way) address(x *instruction) place {
	if x.direct() || x.index || x.base != RegRSP && x.base != RegRBP {
		return place{}
	}
	v := w.get(uint8(x.base))
	if v.kind != valueAddress {
		return place{}
	}
	v.at.off += x.disp
	return v.at
}

func (w *way) push(v value) {
	w.sp.off -= 8
	w.store(w.sp, v)
}

func (w *way) pop(reg uint8) {
	v := w.load(w.sp)
	w.sp.off += 8
	if reg != RegRSP {
		w.set(reg, v)
	}
}

func (w *way) stored(at place) int {
	return slices.IndexFunc(w.slots, func(s slot) bool { return s.at == at })
}

// store remembers that the word at a place is v, and reports whether there was room for it (maxSlots).
func (w *way) store(at place, v value) bool {
	i := w.stored(at)
	if i < 0 && len(w.slots) >= maxSlots {
		return false
	}
	w.slots = slices.Clone(w.slots)
	if i < 0 {
		w.slots = append(w.slots, slot{at, v})
	} else {
		w.slots[i].value = v
	}
	return true
}

func (w *way) load(at place) value {
	if i := w.stored(at); i >= 0 {
		return w.slots[i].value
	}
	return value{valueLoaded, at}
}

// rules turns the state at a ret into rules for the caller's registers.
func (w *way) rules() *ruleSet {
	set := &ruleSet{cfa: rule{kind: ruleReg, reg: w.sp.base, off: w.sp.off + 8}}
	set.regs = append(set.regs, regRule{RegRIP, rule{kind: ruleAtCFA, off: -8}})
	for i, v := range w.regs {
		if v.kind == valueLoaded {
			set.regs = append(set.regs, regRule{savedRegs[i], rule{kind: ruleAtReg, reg: v.at.base, off: v.at.off}})
		}
	}
	return set
}
