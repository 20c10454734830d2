package tracer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Bits and codes of include/uapi/linux/perf_event.h and asm-generic/siginfo.h that x/sys does not name.
const (
	perfRemoveOnExec = 1 << 36
	perfSigtrap      = 1 << 37

	trapPerf      = 6 // si_code
	trapPerfAsync = 1 // in si_perf_flags: the signal was blocked when it was sent
)

// sigData and adviceData are returned in the siginfo of our own signals, of a lockEvent on locks and on advice, to tell them
// from those of perf events of the program.
const (
	sigData    = 0x766d626c616d6521
	adviceData = 0x766d626c616d653f
)

// isOurData reports whether the si_perf_data of a signal is that of an event of ours.
func isOurData(data uint64) bool { return data == sigData || data == adviceData }

// tracepoint is what a lockEvent is on.
type tracepoint struct {
	id     uint64
	filter string
	data   uint64 // si_perf_data of its signals
}

// ringPages are the data pages of a ring. A thread stops at each record, so a page is plenty: it holds the records of
// a thread that blocks SIGTRAP until that is noticed.
const ringPages = 1

// lockEvent is a perf event (perf_event_open(2)) of one thread: on mmap_lock:mmap_lock_acquire_returned or, where advice is
// followed, on syscalls:sys_enter_madvise.
type lockEvent struct {
	fd    int
	ring  []byte // the page of struct perf_event_mmap_page, then the data
	tail  uint64
	read  uint64 // records
	lost  uint64 // records that the kernel says did not fit
	open  []uint64
	owner *Thread
	owed  bool // a signal is on its way
}

// tracefs is where the kernel's tracepoints are, "" if it is not mounted or may not be read.
func tracefs() string {
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(dir + "/events/mmap_lock"); err == nil {
			return dir
		}
	}
	return ""
}

// lockTracepoint finds the tracepoint of locks. It passes write locks that were acquired; only a kill makes the acquisition fail.
func lockTracepoint() (tracepoint, error) {
	id, err := tracepointID("mmap_lock/mmap_lock_acquire_returned")
	return tracepoint{id, "write==1 && success==1\x00", sigData}, err
}

// tracepointID reads the number of a tracepoint.
func tracepointID(name string) (uint64, error) {
	dir := tracefs()
	if dir == "" {
		if _, err := os.Stat("/sys/kernel/tracing"); err == nil && os.Geteuid() == 0 {
			return 0, fmt.Errorf("tracefs is not mounted, or the kernel has no mmap_lock tracepoints (CONFIG_TRACING): mount -t tracefs nodev /sys/kernel/tracing")
		}
		return 0, fmt.Errorf("/sys/kernel/tracing cannot be read: run as root, or mount tracefs there")
	}
	text, err := os.ReadFile(dir + "/events/" + name + "/id")
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// newLockEvent makes the event of a thread, disabled.
func newLockEvent(tid int, on tracepoint) (fd int, err error) {
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_TRACEPOINT, Config: on.id, Sample: 1, Sample_type: unix.PERF_SAMPLE_TIME,
		Bits:     unix.PerfBitDisabled | unix.PerfBitUseClockID | perfRemoveOnExec | perfSigtrap,
		Clockid:  unix.CLOCK_MONOTONIC_RAW,
		Wakeup:   1 << 30, // no one polls it
		Sig_data: on.data,
	}
	attr.Size = uint32(unsafe.Sizeof(attr))
	fd, err = unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	for errors.Is(err, syscall.EINTR) { // an execve is under way
		fd, err = unix.PerfEventOpen(&attr, tid, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	}
	if err != nil {
		return -1, fmt.Errorf("perf_event_open: %w%s", err, perfRemedy(err))
	}
	return fd, nil
}

// openLockEvent starts watching a thread, which must be a tracee, or the signals would kill it.
func openLockEvent(tid int, on tracepoint) (*lockEvent, error) {
	fd, err := newLockEvent(tid, on)
	if err != nil {
		return nil, err
	}
	ev := &lockEvent{fd: fd}
	// If it were enabled before it has its ring, one stop in a thousand would come without a record.
	if _, _, e := syscall.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.PERF_EVENT_IOC_SET_FILTER, uintptr(unsafe.Pointer(unsafe.StringData(on.filter)))); e != 0 {
		unix.Close(fd)
		return nil, fmt.Errorf("perf event: set the filter: %w", e)
	}
	ev.ring, err = unix.Mmap(fd, 0, (1+ringPages)*os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("perf event: map the ring: %w", err)
	}
	if err := ev.control(unix.PERF_EVENT_IOC_ENABLE); err != nil {
		ev.close()
		return nil, fmt.Errorf("perf event: enable: %w", err)
	}
	return ev, nil
}

// perfRemedy says what to do about a refusal.
func perfRemedy(err error) string {
	const flags = "docker run --cap-add=PERFMON …"
	switch {
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS):
		paranoid, _ := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
		level := strings.TrimSpace(string(paranoid))
		switch {
		case InContainer():
			return ": the container forbids it: try: " + flags
		case HasCapability(unix.CAP_PERFMON) || level == "":
			return ": a security module, a seccomp profile or the kernel's configuration forbids it"
		}
		return ": kernel.perf_event_paranoid is " + level + ": run vmblame as root, give it CAP_PERFMON, or sysctl kernel.perf_event_paranoid=1"
	case errors.Is(err, syscall.EINVAL):
		return ": the kernel is older than 5.13"
	case errors.Is(err, syscall.EMFILE):
		return ": too many threads for the limit of open files: ulimit -n"
	}
	return ""
}

func (ev *lockEvent) control(request uintptr) error {
	if _, _, e := syscall.RawSyscall(unix.SYS_IOCTL, uintptr(ev.fd), request, 0); e != 0 {
		return e
	}
	return nil
}

func (ev *lockEvent) close() {
	_ = unix.Munmap(ev.ring)
	unix.Close(ev.fd)
	ev.ring = nil
}

// drain appends the new stamps to open, and returns the newest, 0 for none. A record is in the ring before its lock
// is released.
func (ev *lockEvent) drain() (newest uint64) {
	page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&ev.ring[0]))
	head := atomic.LoadUint64(&page.Data_head)
	if head == ev.tail {
		return 0
	}
	data := ev.ring[os.Getpagesize():]
	size := uint64(len(data))
	// Records are multiples of eight bytes, and so is the ring: a word never wraps around.
	word := func(at uint64) uint64 { return binary.NativeEndian.Uint64(data[at%size:]) }
	for ev.tail < head {
		header := word(ev.tail) // u32 type, u16 misc, u16 size
		length := header >> 48
		if length < 8 {
			break // not written by the kernel
		}
		switch uint32(header) {
		case unix.PERF_RECORD_SAMPLE:
			newest = word(ev.tail + 8)
			ev.open = append(ev.open, newest)
			ev.read++
			ev.owed = true
		case unix.PERF_RECORD_LOST: // u64 id, u64 lost
			ev.lost += word(ev.tail + 16)
		}
		ev.tail += length
	}
	ev.tail = head
	atomic.StoreUint64(&page.Data_tail, head)
	return newest
}

// missing is how many write locks the kernel counted in excess of the records read. LOST records are only reported
// with the next one that fits, so the count alone is proof.
func (ev *lockEvent) missing() uint64 {
	var count [8]byte
	if n, err := unix.Read(ev.fd, count[:]); err != nil || n != len(count) {
		return 0
	}
	ev.drain()
	if n := binary.NativeEndian.Uint64(count[:]); n > ev.read {
		return n - ev.read
	}
	return 0
}

// Clock reads the clock of the stamps (Stop.Order), in nanoseconds.
func Clock() uint64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC_RAW, &ts)
	return uint64(ts.Nano())
}
