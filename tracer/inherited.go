package tracer

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// signals are the signal settings that a program inherits from its parent, signal N in bit N-1.
type signals struct {
	Known            bool
	Ignored, Blocked uint64
}

// inheritedSignals returns the signal settings that this process inherited. Go's runtime installs handlers over
// ignored signals before any of our code runs, and exec(3) would reset those to the default, so that a launched
// program would die of a signal that it should ignore. The runtime keeps the original settings in runtime.fwdSig and
// runtime.initSigmask, which are found by our own symbol table. Without one, Known is false.
func inheritedSignals() signals {
	want := []ownSymbol{{name: "runtime.fwdSig"}, {name: "runtime.initSigmask"}}
	bias, err := ownSymbols(want)
	if err != nil {
		return signals{}
	}
	self := Thread{TID: os.Getpid()}
	var handlers [65]uint64
	var mask uint64
	read := func(s ownSymbol, p []byte) bool {
		return s.value != 0 && self.ReadMemory(s.value+bias, p) == len(p)
	}
	if !read(want[0], unsafe.Slice((*byte)(unsafe.Pointer(&handlers)), unsafe.Sizeof(handlers))) ||
		!read(want[1], unsafe.Slice((*byte)(unsafe.Pointer(&mask)), unsafe.Sizeof(mask))) {
		return signals{}
	}
	s := signals{Known: true, Blocked: mask}
	for sig, handler := range handlers {
		switch handler {
		case 0: // SIG_DFL
		case 1: // SIG_IGN
			s.Ignored |= 1 << (sig - 1)
		default: // only these two survive execve: this is not the table
			return signals{}
		}
	}
	return s
}

// An ownSymbol is a variable of this executable; value is 0 until it is found.
type ownSymbol struct {
	name  string
	value uint64
}

// ownSymbols fills in the values of the wanted variables of this executable, and returns the load bias of a
// position-independent executable. It scans the mapped table: making strings of all its names, as debug/elf does,
// takes longer than the rest of a launch.
func ownSymbols(want []ownSymbol) (bias uint64, err error) {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	defer file.Close()
	exe, err := elf.NewFile(file)
	if err != nil {
		return 0, err
	}
	table := exe.SectionByType(elf.SHT_SYMTAB)
	if table == nil || int(table.Link) >= len(exe.Sections) {
		return 0, elf.ErrNoSymbols
	}
	text := exe.Sections[table.Link]
	image, err := unix.Mmap(int(file.Fd()), 0, int(max(table.Offset+table.Size, text.Offset+text.Size)), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Munmap(image) }()
	names := image[text.Offset : text.Offset+text.Size]
	for rest := image[table.Offset : table.Offset+table.Size]; len(rest) >= elf.Sym64Size; rest = rest[elf.Sym64Size:] {
		offset := uint64(binary.LittleEndian.Uint32(rest))
		// Most symbols are functions: their names are not even paged in.
		if elf.ST_TYPE(rest[4]) != elf.STT_OBJECT || offset >= text.Size {
			continue
		}
		name := names[offset:]
		for i := range want {
			w := &want[i]
			if n := len(w.name); len(name) > n && name[n] == 0 && string(name[:n]) == w.name {
				w.value = binary.LittleEndian.Uint64(rest[8:])
			}
		}
	}
	vector, err := unix.Auxv()
	if err != nil {
		return 0, err
	}
	for _, v := range vector {
		if v[0] == atEntry {
			return uint64(v[1]) - exe.Entry, nil
		}
	}
	return 0, elf.ErrNoSymbols
}

// atEntry is AT_ENTRY of getauxval(3), where this executable begins.
const atEntry = 9
