// Calls inlined into calls, a generic method, a closure.
package main

import (
	"fmt"
	"os"
	"strings"
)

type box[T any] struct{ v T }

//go:noinline
func (b *box[T]) get(n int) T {
	if n > 3 {
		fmt.Println("more than three")
	}
	return b.v
}

func mul(a, b int) int {
	if a > 7 {
		return strings.Count(os.Args[0], "x")
	}
	return a * b
}

func add(a, b int) int { return mul(a, 3) + b }

//go:noinline
func outer(n int) int {
	s := 0
	for i := 0; i < n; i++ {
		s += add(i, n)
	}
	return s
}

func main() {
	b := &box[string]{"a"}
	fmt.Println(outer(len(os.Args)), b.get(5), func() int { return len(os.Args) }())
}
