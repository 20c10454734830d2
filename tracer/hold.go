package tracer

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The first perf event on a tracepoint changes the kernel's code, and whoever closes the last one waits until all processors
// have noticed (tracepoint_synchronize_unregister): tens of milliseconds each. So one stays open as long as we live. It is
// that of a thread which has ended, and an io_uring has it: what a ring has the kernel closes after our end, by a thread of
// its own, and who waits for us does not wait for that. Where there are no rings our end comes later.

// holdOn opens, once for each tracepoint, an event that stays open.
func (t *Tracer) holdOn(on tracepoint) error {
	if t.held[on.id] != nil {
		return nil
	}
	type opened struct {
		fd  int
		err error
	}
	event := make(chan opened)
	go func() {
		runtime.LockOSThread() // and not unlocked: the thread ends
		fd, err := newLockEvent(unix.Gettid(), on)
		event <- opened{fd, err}
	}()
	e := <-event
	if e.err != nil {
		return e.err
	}
	if ring, ok := ringOf(e.fd); ok {
		unix.Close(e.fd)
		e.fd = ring
	}
	if t.held == nil {
		t.held = make(map[uint64]*os.File)
	}
	t.held[on.id] = os.NewFile(uintptr(e.fd), "perf event")
	return nil
}

// ringOf returns the descriptor of an io_uring that has a file (io_uring_setup(2), io_uring_register(2)).
func ringOf(fd int) (ring int, ok bool) {
	const registerFiles = 2 // IORING_REGISTER_FILES
	var params [120]byte    // struct io_uring_params
	r, _, e := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if e != 0 {
		return -1, false
	}
	file := int32(fd)
	if _, _, e := unix.Syscall6(unix.SYS_IO_URING_REGISTER, r, registerFiles, uintptr(unsafe.Pointer(&file)), 1, 0, 0); e != 0 {
		unix.Close(int(r))
		return -1, false
	}
	return int(r), true
}
