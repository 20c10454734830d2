// visited_go: a Go program whose threads map memory, look at it and wait in system calls, and that echoes the lines of
// its standard input. When that closes it says what went wrong:
//
//	ready
//	visited calls=N eintr=N early=N wrong=N
//
// Its runtime must not send signals of its own to threads in calls: GODEBUG=asyncpreemptoff=1.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const wait = 5 * time.Millisecond

// noticed counts the calls and those that ended otherwise than they should.
type noticed struct{ calls, eintr, early, wrong atomic.Int64 }

// mapAndLook maps pages, writes them, looks at them and unmaps them.
func mapAndLook(i int) {
	b, err := syscall.Mmap(-1, 0, 4096*(1+i%7), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		panic(err)
	}
	for k := range b {
		b[k] = byte(i)
	}
	if syscall.Mprotect(b[:4096], syscall.PROT_READ) != nil || b[0] != byte(i) || b[len(b)-1] != byte(i) || syscall.Munmap(b) != nil {
		panic("memory")
	}
}

// waiter waits in one call for ever. done is the errno with which it ends when its time has passed.
func (n *noticed) waiter(done syscall.Errno, call func() syscall.Errno) {
	runtime.LockOSThread()
	for {
		start := time.Now()
		e := call()
		took := time.Since(start)
		n.calls.Add(1)
		switch {
		case e == syscall.EINTR:
			n.eintr.Add(1)
		case e != done:
			n.wrong.Add(1)
		case took < wait-time.Millisecond:
			n.early.Add(1)
		}
	}
}

func main() {
	var n noticed
	ts := syscall.NsecToTimespec(int64(wait))
	at := uintptr(unsafe.Pointer(&ts))
	epoll, err := syscall.EpollCreate1(0)
	if err != nil {
		panic(err)
	}
	var word uint32
	go n.waiter(0, func() syscall.Errno {
		_, _, e := syscall.Syscall(syscall.SYS_NANOSLEEP, at, 0, 0)
		return e
	})
	go n.waiter(0, func() syscall.Errno {
		var event syscall.EpollEvent
		_, _, e := syscall.Syscall6(syscall.SYS_EPOLL_WAIT, uintptr(epoll), uintptr(unsafe.Pointer(&event)), 1, uintptr(wait.Milliseconds()), 0, 0)
		return e
	})
	go n.waiter(0, func() syscall.Errno {
		left := ts // it is told how much is left
		_, _, e := syscall.Syscall6(syscall.SYS_PSELECT6, 0, 0, 0, 0, uintptr(unsafe.Pointer(&left)), 0)
		return e
	})
	go n.waiter(syscall.ETIMEDOUT, func() syscall.Errno {
		_, _, e := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), 128 /* FUTEX_WAIT_PRIVATE */, 0, at, 0, 0)
		return e
	})
	for range 8 {
		go func() {
			for i := 0; ; i++ {
				mapAndLook(i)
				time.Sleep(time.Millisecond)
			}
		}()
	}
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(in.Text())
	}
	fmt.Printf("visited calls=%d eintr=%d early=%d wrong=%d\n", n.calls.Load(), n.eintr.Load(), n.early.Load(), n.wrong.Load())
}
