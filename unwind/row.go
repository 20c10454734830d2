package unwind

import "math"

// A row holds what is known about one pc: its module, and how to get from its frame to the caller's.
type row struct {
	module *Module
	bias   uint64 // Offset - PC, modulo 2^64
	// rules is set for kindRules, and for kindFP if following the code gave rules.
	rules *ruleSet
	// saved holds where the caller's registers are saved, relative to the CFA; sameValue if not saved. For kindCFA.
	saved  [len(savedRegs)]int32
	ra     int32 // where the return address is, relative to the CFA
	cfaOff int32
	cfaReg uint8
	kind   rowKind
	how    How // how the caller's frame is found
	end    End // for kindEnd, and when a kind's step fails
	flags  rowFlags
}

// savedRegs are the callee-saved registers of the ABI, except rsp (which is the CFA).
var savedRegs = [...]uint8{RegRBX, RegRBP, RegR12, RegR13, RegR14, RegR15}

const sameValue = math.MinInt32

type rowKind uint8

const (
	kindFP       rowKind = iota // no table: follow the code, or the frame pointer
	kindCFA                     // register + constant, registers saved at constants from the CFA
	kindRules                   // any rule for any register, with expressions
	kindGo                      // kindCFA, and rbp is where rbp points to if that is within the frame
	kindSigframe                // rt_sigreturn's frame: the registers stand in a ucontext at rsp
	kindSwitch                  // a Go function that changed rsp; rbp points to its frame, on another stack perhaps
	kindSwitchC                 // asmcgocall: the same, but the goroutine's stack may have been moved
	kindSwitchG                 // a Go function that switched from another stack, recorded only in its g
	kindEnd                     // the walk ends here: see end
)

type rowFlags uint8

const (
	flagSignal    rowFlags = 1 << iota // a signal frame: the caller was interrupted, and may be on another stack
	flagSyscall                        // the pc follows a syscall instruction
	flagAfterCall                      // the pc follows a call instruction, or the bytes could not be read
	flagEntry                          // the table entry of this pc covers the file's e_entry, too
)

// ruleSet is the general form of a row.
type ruleSet struct {
	cfa  rule
	regs []regRule
}

type regRule struct {
	reg uint8
	rule
}

// rule says how to compute one value.
type rule struct {
	kind ruleKind
	reg  uint8
	off  int64
	expr []byte
}

type ruleKind uint8

const (
	ruleAtCFA   ruleKind = iota // the word at CFA+off
	ruleCFAPlus                 // CFA+off itself
	ruleReg                     // the value of another register, plus off
	ruleAtReg                   // the word at another register's value plus off
	ruleAtExpr                  // the word at the address that the expression computes
	ruleExpr                    // the value that the expression computes
)
