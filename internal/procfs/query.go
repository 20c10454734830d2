package procfs

import (
	"runtime"
	"syscall"
	"unsafe"

	"github.com/vmblame/vmblame/internal/vm"
)

// procmapQuery is struct procmap_query of include/uapi/linux/fs.h (Linux 6.11).
type procmapQuery struct {
	size, flags, addr          uint64
	start, end, vmaFlags, page uint64
	offset, inode              uint64
	major, minor               uint32
	nameSize, buildIDSize      uint32
	nameAddr, buildIDAddr      uint64
}

const (
	procmapQueryRequest = 0xc0686611 // _IOWR('f', 17, struct procmap_query)
	coveringOrNext      = 0x10
)

// ask is In by PROCMAP_QUERY, whose cost does not grow with the number of mappings.
func (m *Maps) ask(r vm.Range) ([]vm.Mapping, error) {
	rows := m.rows[:0]
	for addr := r.Start; addr < r.End; {
		q := procmapQuery{flags: coveringOrNext, addr: addr, nameSize: uint32(len(m.name)),
			nameAddr: uint64(uintptr(unsafe.Pointer(&m.name[0])))}
		q.size = uint64(unsafe.Sizeof(q))
		_, _, e := syscall.RawSyscall(syscall.SYS_IOCTL, m.file.Fd(), procmapQueryRequest, uintptr(unsafe.Pointer(&q)))
		runtime.KeepAlive(m.name)
		switch e {
		case 0:
		case syscall.ENOENT:
			m.rows = rows
			return rows, nil
		case syscall.ESRCH:
			return nil, ErrGone
		default:
			return nil, e
		}
		if q.start >= r.End || q.start >= vm.VsyscallStart {
			break
		}
		m.page = q.page
		row := vm.Mapping{Range: vm.Range{Start: q.start, End: q.end}, Perms: vm.Perms(q.vmaFlags & 0xf)}
		row.File = vm.File{Dev: vm.Dev{Major: q.major, Minor: q.minor}, Inode: q.inode}
		if q.nameSize > 1 {
			row.File.Path = string(m.name[:q.nameSize-1])
		}
		if row.File.Backed() {
			row.Offset = q.offset
		}
		rows = append(rows, row)
		addr = q.end
	}
	m.rows = rows
	return rows, nil
}
