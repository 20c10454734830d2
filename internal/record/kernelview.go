package record

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/vm"
)

// kernelView reads what the kernel says is mapped in one address space. Its descriptor belongs to the mm
// and not to the pid (fs/proc/task_mmu.c, proc_maps_open), so that it stays right across exec. To read it
// the thread that it was opened through must not have been reaped, though, so it is opened anew then.
type kernelView struct {
	alive func() int // a thread that uses the address space, 0 for none; may be nil
	maps  *os.File
	tid   int
	query bool // the kernel has PROCMAP_QUERY (Linux 6.11)
	text  []byte
	rows  []vm.Mapping
	name  []byte
	page  uint64 // bytes of a page of the row that ask found last
}

// openKernelView opens the view of the address space that thread tid uses now.
func openKernelView(tid int) (*kernelView, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", tid))
	if err != nil {
		return nil, fmt.Errorf("read maps of %d: %w", tid, errors.Unwrap(err))
	}
	return &kernelView{maps: f, tid: tid, query: true, name: make([]byte, 4096)}, nil
}

func (k *kernelView) close() {
	if k != nil {
		k.maps.Close()
	}
}

var errGone = errors.New("the address space is gone")

// all returns every row. The slice is valid until the next call. errGone where the mm has ended.
func (k *kernelView) all() ([]vm.Mapping, error) {
	rows, err := k.readAll()
	if errors.Is(err, syscall.ESRCH) && k.alive != nil {
		other, openErr := openKernelView(k.alive())
		if openErr != nil {
			return nil, err
		}
		k.maps.Close()
		k.maps, k.tid = other.maps, other.tid
		return k.readAll()
	}
	return rows, err
}

func (k *kernelView) readAll() ([]vm.Mapping, error) {
	if k.text == nil {
		k.text = make([]byte, 64<<10)
	}
	n := 0
	for {
		if n == len(k.text) {
			k.text = append(k.text, make([]byte, len(k.text))...)
		}
		m, err := k.maps.ReadAt(k.text[n:], int64(n))
		n += m
		if err == io.EOF || m == 0 && err == nil {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read maps of %d: %w", k.tid, err)
		}
	}
	if n == 0 {
		return nil, errGone
	}
	rows, err := vm.ParseMaps(k.rows[:0], k.text[:n])
	if err != nil {
		return nil, fmt.Errorf("read maps of %d: %w", k.tid, err)
	}
	k.rows = rows
	return rows, nil
}

// procmapQuery is struct procmap_query of include/uapi/linux/fs.h.
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

// in returns the rows that touch r, whole. The slice is valid until the next call.
func (k *kernelView) in(r vm.Range) ([]vm.Mapping, error) {
	if k.query {
		rows, err := k.ask(r)
		if err != syscall.ENOTTY && err != syscall.EINVAL {
			return rows, err
		}
		k.query = false
	}
	rows, err := k.all()
	if err != nil {
		return nil, err
	}
	lo, hi := 0, len(rows)
	for lo < hi && rows[lo].End <= r.Start {
		lo++
	}
	for hi > lo && rows[hi-1].Start >= r.End {
		hi--
	}
	return rows[lo:hi], nil
}

// ask uses PROCMAP_QUERY, whose cost does not grow with the number of mappings.
func (k *kernelView) ask(r vm.Range) ([]vm.Mapping, error) {
	rows := k.rows[:0]
	for addr := r.Start; addr < r.End; {
		q := procmapQuery{flags: coveringOrNext, addr: addr, nameSize: uint32(len(k.name)),
			nameAddr: uint64(uintptr(unsafe.Pointer(&k.name[0])))}
		q.size = uint64(unsafe.Sizeof(q))
		_, _, e := syscall.RawSyscall(syscall.SYS_IOCTL, k.maps.Fd(), procmapQueryRequest, uintptr(unsafe.Pointer(&q)))
		runtime.KeepAlive(k.name)
		switch e {
		case 0:
		case syscall.ENOENT:
			k.rows = rows
			return rows, nil
		case syscall.ESRCH:
			return nil, errGone
		default:
			return nil, e
		}
		if q.start >= r.End || q.start >= vm.VsyscallStart {
			break
		}
		k.page = q.page
		m := vm.Mapping{Range: vm.Range{Start: q.start, End: q.end}, Perms: vm.Perms(q.vmaFlags & 0xf)}
		m.File = vm.File{Dev: vm.Dev{Major: q.major, Minor: q.minor}, Inode: q.inode}
		if q.nameSize > 1 {
			m.File.Path = string(k.name[:q.nameSize-1])
		}
		if m.File.Backed() {
			m.Offset = q.offset
		}
		rows = append(rows, m)
		addr = q.end
	}
	k.rows = rows
	return rows, nil
}

// at returns the row that covers addr.
func (k *kernelView) at(addr uint64) (vm.Mapping, bool) {
	rows, err := k.in(vm.Range{Start: addr, End: addr + 1})
	if err != nil || len(rows) == 0 || !rows[0].Contains(addr) {
		return vm.Mapping{}, false
	}
	return rows[0], true
}

// pageSize returns how many bytes a page of row has, a row that at has just returned: more than vm.PageSize
// where it is made of huge pages.
func (k *kernelView) pageSize(row *vm.Mapping) uint64 {
	if k.query {
		return k.page
	}
	if row.File.Dev.Major != 0 || row.Start%leastHugePage != 0 || row.Offset%leastHugePage != 0 {
		return vm.PageSize // smaps is much work for the kernel
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", k.tid))
	if err != nil {
		return vm.PageSize
	}
	rows, err := vm.ParseSmaps(nil, text)
	if err != nil {
		return vm.PageSize
	}
	for i := range rows {
		if rows[i].Contains(row.Start) {
			return max(rows[i].PageSize, vm.PageSize)
		}
	}
	return vm.PageSize
}

const leastHugePage = 2 << 20

// sameMM tells whether two tasks share their address space (kcmp(2), KCMP_VM). known is false where the
// kernel does not tell.
func sameMM(a, b int) (same, known bool) {
	const kcmpVM = 1
	r, _, e := syscall.RawSyscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpVM, 0, 0, 0)
	return e == 0 && r == 0, e == 0
}
