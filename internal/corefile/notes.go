package corefile

import (
	"bytes"
	"encoding/binary"

	"github.com/vmblame/vmblame/internal/vm"
)

// Types of notes (include/uapi/linux/elf.h) and entries of the auxiliary vector (include/uapi/linux/auxvec.h).
const (
	ntPrstatus = 1
	ntPrpsinfo = 3
	ntAuxv     = 6
	ntFile     = 0x46494c45

	// AtEntry is where the program begins, AtRandom lies on the first thread's stack, AtVDSO is where the kernel's code begins.
	AtEntry  = 9
	AtRandom = 25
	AtVDSO   = 33
)

const (
	// struct elf_prstatus (include/linux/elfcore.h): the thread's number, and its registers (struct user_regs_struct).
	prstatusPID  = 32
	prstatusRegs = 112
	regRSP       = 19
	regFSBase    = 21
	// struct elf_prpsinfo: the process's number, the program's name, and its arguments.
	prpsinfoPID  = 24
	prpsinfoName = 40
	prpsinfoArgs = 56
	prpsinfoSize = 136

	maxThreads = 1 << 20
)

// readNotes takes what the notes say, and returns the mappings of files.
func (f *File) readNotes(b []byte) (files []mapped) {
	word := func(b []byte, at int) uint64 { return binary.LittleEndian.Uint64(b[at:]) }
	for len(b) >= 12 {
		name, size, typ := uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[4:])), binary.LittleEndian.Uint32(b[8:])
		b = b[12:]
		from := (name + 3) &^ 3
		end := from + (size+3)&^3
		if end > uint64(len(b)) {
			if end = from + size; end > uint64(len(b)) { // the last one may lack its padding
				return files
			}
		}
		owner, d := string(bytes.TrimRight(b[:name], "\x00")), b[from:from+size]
		b = b[end:]
		switch {
		case owner == "GDB":
			f.byGDB = true
		case owner != "CORE":
		case typ == ntPrstatus && len(d) >= prstatusRegs+(regFSBase+1)*8 && len(f.Threads) < maxThreads:
			f.Threads = append(f.Threads, Thread{int(int32(binary.LittleEndian.Uint32(d[prstatusPID:]))), word(d, prstatusRegs+regRSP*8), word(d, prstatusRegs+regFSBase*8)})
		case typ == ntPrpsinfo && len(d) >= prpsinfoSize:
			f.PID = int(int32(binary.LittleEndian.Uint32(d[prpsinfoPID:])))
			f.Name, f.Command = text(d[prpsinfoName:prpsinfoArgs]), text(d[prpsinfoArgs:prpsinfoSize])
		case typ == ntAuxv:
			for ; len(d) >= 16; d = d[16:] {
				f.Aux[word(d, 0)] = word(d, 8)
			}
		case typ == ntFile:
			files = append(files, readFiles(d)...)
		}
	}
	return files
}

func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(bytes.TrimRight(s, " "))
}

// readFiles reads NT_FILE: how many, the unit of offsets, start, end and offset of each, then the paths.
func readFiles(d []byte) (list []mapped) {
	if len(d) < 16 {
		return nil
	}
	n, unit := binary.LittleEndian.Uint64(d), binary.LittleEndian.Uint64(d[8:])
	if n > uint64(len(d)-16)/24 || unit == 0 || unit > 1<<21 {
		return nil
	}
	paths := d[16+24*n:]
	for i := range n {
		e := d[16+24*i:]
		path, rest, ok := bytes.Cut(paths, []byte{0})
		if !ok {
			return list
		}
		paths = rest
		m := mapped{vm.Range{Start: binary.LittleEndian.Uint64(e), End: binary.LittleEndian.Uint64(e[8:])}, binary.LittleEndian.Uint64(e[16:]) * unit, string(path)}
		if !m.Empty() && m.End <= vm.AddressMax {
			list = append(list, m)
		}
	}
	return list
}
