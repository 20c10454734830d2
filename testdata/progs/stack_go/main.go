// stack_go: marks from a Go program: methods, generics, closures, a goroutine, a deferred call while panicking.
// The list is the chain of frame pointers, to runtime.goexit; before it stand the frames of package syscall
// (a gap). runtime.Callers would leave out the wrappers that the compiler makes.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

const page = 4096

var out = account()

func account() *os.File {
	if path := os.Getenv("VMBLAME_ACCOUNT"); path != "" {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			panic(err)
		}
		return f
	}
	fd := 3
	if s := os.Getenv("VMBLAME_ACCOUNT_FD"); s != "" {
		fd, _ = strconv.Atoi(s)
	}
	return os.NewFile(uintptr(fd), "account")
}

var list [1000]uintptr // one mark at a time

// framePointer returns its caller's frame pointer.
func framePointer() uintptr

func word(addr uintptr) uintptr { return *(*uintptr)(unsafe.Pointer(addr)) }

//go:noinline
func mark(pages uintptr) uintptr {
	p, _, errno := syscall.Syscall6(syscall.SYS_MMAP, 0, pages*page, syscall.PROT_READ,
		syscall.MAP_PRIVATE|syscall.MAP_ANON, ^uintptr(0), 0)
	if errno != 0 {
		panic(errno)
	}
	n := 0
	for fp := framePointer(); fp != 0; fp = word(fp) { // calls nothing that could move the stack
		list[n] = word(fp + 8)
		n++
	}
	pid, tid := os.Getpid(), syscall.Gettid()
	fmt.Fprintf(out, "live pid=%d start=%#x end=%#x fn=main.mark tid=%d call=mmap\n", pid, p, p+pages*page, tid)
	fmt.Fprintf(out, "mark pid=%d tid=%d start=%#x len=%d skip=1\n", pid, tid, p, pages*page)
	fmt.Fprintf(out, "gap pid=%d start=%#x\n", pid, p)
	for _, ra := range list[:n] {
		fmt.Fprintf(out, "frame pid=%d start=%#x ra=%#x in=?\n", pid, p, ra)
	}
	return p
}

type shape interface{ area(n int) uintptr }

type box[T any] struct{ side T }

//go:noinline
func (b *box[T]) area(n int) uintptr {
	if n > 0 {
		return b.area(n-1) + 1
	}
	return mark(370) + mark(371)
}

//go:noinline
func generic[T any](s shape, n T) uintptr { return s.area(3) + mark(372) }

//go:noinline
func panics() { panic("on purpose") }

//go:noinline
func recovers() {
	defer func() {
		if recover() != nil {
			mark(373)
		}
	}()
	panics()
}

//go:noinline
func inGoroutine(done chan<- uintptr) {
	runtime.LockOSThread()
	done <- func() uintptr { return mark(374) + 1 }()
}

//go:noinline
func deep(n int) uintptr {
	if n > 0 {
		return deep(n-1) + 1
	}
	return mark(375)
}

func main() {
	runtime.LockOSThread()
	fmt.Fprintf(out, "account version=1 program=stack_go pid=%d tid=%d\n", os.Getpid(), syscall.Gettid())
	generic[string](&box[float64]{2}, "x")
	recovers()
	done := make(chan uintptr)
	go inGoroutine(done)
	<-done
	deep(200)
	fmt.Fprintf(out, "end pid=%d\n", os.Getpid())
}
