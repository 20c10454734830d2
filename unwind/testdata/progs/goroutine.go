// A goroutine maps memory itself, grows the heap, and grows its stack.
package main

import (
	"os"
	"strconv"
	"syscall"
)

var sink []byte

//go:noinline
func mark() {
	// The length is the one of mark.h.
	syscall.Syscall6(syscall.SYS_MMAP, 0, 0x7ab1000, 0, 0x4022, ^uintptr(0), 0)
}

//go:noinline
func grow(n int) { sink = make([]byte, n) }

//go:noinline
func deep(n int) int {
	var room [4096]byte
	room[n%len(room)] = 1
	if n == 0 {
		return int(room[7])
	}
	return deep(n-1) + int(room[n%len(room)])
}

func main() {
	done := make(chan int)
	go func() {
		mark()
		grow(256 << 20)
		n, _ := strconv.Atoi(os.Args[1])
		done <- deep(n)
	}()
	<-done
}
