package tracer

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"reflect"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signals are what a program inherits of its parent's signals, signal N in bit N-1.
type signals struct {
	Known            bool
	Ignored, Blocked uint64
}

// inheritedSignals returns what this process was given. Go's runtime puts handlers in the place of ignored
// signals before any of our code runs, and exec(3) would reset those, so that a program launched by us would
// die of a signal it was to ignore. What the runtime found it keeps for itself in runtime.fwdSig and
// runtime.initSigmask: these are found by our own symbol table. Without one, Known is false.
func inheritedSignals() signals {
	at := map[string]uint64{"runtime.fwdSig": 0, "runtime.initSigmask": 0, anchorName: 0}
	if ownSymbols(at) != nil {
		return signals{}
	}
	// Where a position-independent executable was loaded.
	bias := uint64(reflect.ValueOf(New).Pointer()) - at[anchorName]
	self := Thread{TID: os.Getpid()}
	var handlers [65]uint64
	var mask uint64
	read := func(name string, p []byte) bool {
		return at[name] != 0 && self.ReadMemory(at[name]+bias, p) == len(p)
	}
	if at[anchorName] == 0 || bias&0xfff != 0 ||
		!read("runtime.fwdSig", unsafe.Slice((*byte)(unsafe.Pointer(&handlers)), unsafe.Sizeof(handlers))) ||
		!read("runtime.initSigmask", unsafe.Slice((*byte)(unsafe.Pointer(&mask)), unsafe.Sizeof(mask))) {
		return signals{}
	}
	s := signals{Known: true, Blocked: mask}
	for sig, handler := range handlers {
		switch handler {
		case 0: // SIG_DFL
		case 1: // SIG_IGN
			s.Ignored |= 1 << (sig - 1)
		default: // nothing but these two comes through execve: this is another table
			return signals{}
		}
	}
	return s
}

// ownSymbols fills in the values of the named symbols of this executable. It scans the mapped table: making
// strings of all its names, as debug/elf does, takes longer than the rest of a launch.
func ownSymbols(at map[string]uint64) error {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer file.Close()
	exe, err := elf.NewFile(file)
	if err != nil {
		return err
	}
	table := exe.SectionByType(elf.SHT_SYMTAB)
	if table == nil || int(table.Link) >= len(exe.Sections) {
		return elf.ErrNoSymbols
	}
	text := exe.Sections[table.Link]
	image, err := unix.Mmap(int(file.Fd()), 0, int(max(table.Offset+table.Size, text.Offset+text.Size)), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Munmap(image) }()
	names := image[text.Offset : text.Offset+text.Size]
	for rest := image[table.Offset : table.Offset+table.Size]; len(rest) >= elf.Sym64Size; rest = rest[elf.Sym64Size:] {
		offset := binary.LittleEndian.Uint32(rest)
		if uint64(offset) >= text.Size {
			continue
		}
		name := names[offset:]
		for want := range at {
			if len(name) > len(want) && name[len(want)] == 0 && string(name[:len(want)]) == want {
				at[want] = binary.LittleEndian.Uint64(rest[8:])
			}
		}
	}
	return nil
}

const anchorName = "github.com/vmblame/vmblame/tracer.New"
