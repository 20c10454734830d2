package tracer

import "github.com/vmblame/vmblame/internal/vm"

// The functions below fill Call.Op from the argument registers; Op.Kind is set already. They read no
// memory. The man page of the call says what each register means.

func decodeMap(c *Call) {
	op := &c.Op
	op.Addr, op.Len = c.Args[0], c.Args[1]
	op.Prot, op.Flags = c.Args[2], c.Args[3]
	op.FD = int(int32(c.Args[4]))
	op.Offset = c.Args[5]
	if c.ABI == ABI32 && c.Syscall.Nr < 0 {
		op.Offset = c.Args[5] * vm.PageSize // mmap2 counts in pages
	}
	op.NoReplace = op.Flags&vm.MapFixedNoReplace != 0
	op.Fixed = op.Flags&vm.MapFixed != 0 || op.NoReplace
	if op.Fixed {
		op.Range = vm.RangeOf(op.Addr, op.Len)
	}
}

func decodeRange(c *Call) {
	op := &c.Op
	op.Addr, op.Len, op.Prot = c.Args[0], c.Args[1], c.Args[2]
	op.Range = vm.RangeOf(op.Addr, op.Len)
}

func decodeAdvise(c *Call) {
	decodeRange(c)
	if c.Op.Flags = uint64(uint32(c.Args[2])); vm.AdviceMovesPages(c.Op.Flags) {
		c.Op.Kind = vm.OpPages
	}
}

func decodeAddr(c *Call) { c.Op.Addr = c.Args[0] }

func decodeShmat(c *Call) {
	c.Op.FD, c.Op.Addr, c.Op.Flags = int(int32(c.Args[0])), c.Args[1], c.Args[2]
}

func decodeRemapFile(c *Call) {
	decodeRange(c)
	c.Op.Offset = c.Args[3] * vm.PageSize
}

func decodeRemap(c *Call) {
	op := &c.Op
	op.Addr, op.Len, op.NewLen, op.Flags = c.Args[0], c.Args[1], c.Args[2], c.Args[3]
	op.Range = vm.RangeOf(op.Addr, op.Len)
	if op.Flags&vm.RemapFixed != 0 {
		op.Target = vm.RangeOf(c.Args[4], op.NewLen)
	}
}

func decodePrctl(c *Call) {
	if uint32(c.Args[0]) == prSetMM {
		c.Op.Kind = vm.OpSetMM
		return
	}
	c.Op.Addr, c.Op.Len = c.Args[2], c.Args[3]
	c.Op.Range = vm.RangeOf(c.Args[2], c.Args[3])
}

func decodeFork(c *Call)  { c.Op.CloneFlags = 0 }
func decodeVfork(c *Call) { c.Op.CloneFlags = vm.CloneVM | vm.CloneVfork }
func decodeClone(c *Call) { c.Op.CloneFlags = c.Args[0] & 0xffffffff }
