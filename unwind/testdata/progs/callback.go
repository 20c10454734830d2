// A goroutine calls C, which maps memory and calls back to Go, which grows the heap and the goroutine's stack: it
// is then elsewhere, and C maps memory again.
package main

/*
#include <sys/mman.h>
extern void back(void);
static __attribute__((noinline, noclone, unused)) void mapper(int n) {
	munmap(mmap(0, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), n);
	__asm__ volatile("" ::: "memory");
}
static __attribute__((noinline, noclone, unused)) void caller(int n) {
	mapper(n);
	back();
	mapper(n);
	__asm__ volatile("" ::: "memory");
}
static __attribute__((unused)) void work(void) { caller(1 << 20); __asm__ volatile("" ::: "memory"); }
*/
import "C"

var sink []byte

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

//export back
func back() {
	grow(256 << 20)
	deep(100)
}

func main() {
	done := make(chan bool)
	go func() {
		C.work()
		done <- true
	}()
	<-done
}
