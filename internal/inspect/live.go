package inspect

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/openfile"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// Live is a running process as the input of a look. Close releases its descriptors.
type Live struct {
	Process
	// Refused says why its memory may not be read, nil if it may. If it may not, only the rows are evidence.
	Refused error

	pages procfs.Pagemap
}

// OpenLive gathers what a look at process pid needs. Nothing is stopped. The error says that there is no such
// process, or that not even its rows may be read.
func OpenLive(pid int) (*Live, error) {
	rows, err := procfs.Smaps(pid)
	if err != nil {
		return nil, err
	}
	l := &Live{Process: Process{PID: pid, Rows: rows}, pages: procfs.Pagemap{TID: pid}}
	for _, tid := range procfs.Tasks(pid) {
		l.Threads = append(l.Threads, Thread{TID: tid, Own: procfs.OwnTID(tid), Name: procfs.Comm(tid), SP: procfs.StackPointer(tid)})
	}
	l.Memory, l.Open = liveMemory{l}, l.open
	l.Refused = l.refused()
	return l, nil
}

// refused tries to read a resident page, and returns why that is not allowed, nil if it is.
func (l *Live) refused() error {
	var b [8]byte
	for i := range l.Rows {
		if l.Rows[i].Rss == 0 {
			continue
		}
		for r := range l.pages.Resident(l.Rows[i].Range) {
			if _, err := readv(l.PID, b[:], r.Start); !errors.Is(err, unix.EFAULT) {
				return err
			}
			break
		}
	}
	return nil
}

// Close closes what OpenLive opened.
func (l *Live) Close() { l.pages.Close() }

// open opens the file of a row by the kernel's own link to it, which is right for deleted files and other mount
// namespaces, or by its path below the process's root where that link may not be read (it needs CAP_SYS_ADMIN or
// CAP_CHECKPOINT_RESTORE).
func (l *Live) open(m *vm.Mapping) (*elffile.File, error) {
	proc := "/proc/" + strconv.Itoa(l.PID)
	f, err := elffile.OpenPath(fmt.Sprintf("%s/map_files/%x-%x", proc, m.Start, m.End))
	if err == nil {
		return f, nil
	}
	o, err := openfile.Under(proc+"/root", m.File.Path)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(o.Fd()), &st); err == nil && st.Ino != m.File.Inode {
		err = fmt.Errorf("%s: %w: not the file that is mapped", m.File.Path, os.ErrNotExist)
		o.Close()
		return nil, err
	}
	return elffile.OpenFile(o, o.Name())
}

// liveMemory is Memory by process_vm_readv(2) and /proc/PID/pagemap.
type liveMemory struct{ l *Live }

func (m liveMemory) ReadPages(p []byte, addr uint64) int {
	n, _ := readv(m.l.PID, p, addr)
	return n
}

func (m liveMemory) Resident(r vm.Range) func(yield func(vm.Range) bool) {
	return m.l.pages.Resident(r)
}

func readv(pid int, p []byte, addr uint64) (int, error) {
	local := []unix.Iovec{{Base: &p[0], Len: uint64(len(p))}}
	n, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: uintptr(addr), Len: len(p)}}, 0)
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
		return n, err
	}
	// A container's filter refuses the call and not the file. Where the process itself is out of bounds neither goes.
	mem, openErr := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if openErr != nil {
		return n, err
	}
	defer mem.Close()
	return mem.ReadAt(p, int64(addr))
}
