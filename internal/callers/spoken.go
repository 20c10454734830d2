package callers

import (
	"fmt"
	"strings"
)

// spoken returns the chain in a shorter form for people. Names lose the arguments of templates, a function that calls
// itself is listed once, and the functions of the C++ standard library between a function and the one that it calls
// become one word, such as "std::function".
func (c Chain) spoken() Chain {
	out := Chain{Calls: make([]string, 0, len(c.Calls))}
	times := 0
	for i, call := range c.Calls {
		call = spokenName(call)
		n := len(out.Calls)
		switch {
		case n > 0 && out.Calls[n-1] == call:
			times++
		default:
			out.recursed(times)
			times = 1
			if n > 0 && i >= c.Keep && out.Calls[n-1] == invoked && out.Keep < n {
				out.Calls = out.Calls[:n-1] // what it passed through on its way tells nothing
			}
			out.Calls = append(out.Calls, call)
		}
		if i < c.Keep {
			out.Keep = len(out.Calls)
		}
	}
	out.recursed(times)
	return out
}

// recursed marks the last call as standing for so many consecutive calls of the same function.
func (c *Chain) recursed(times int) {
	last := len(c.Calls) - 1
	switch {
	case times > 2 && c.Calls[last] != MadeCode:
		c.Calls[last] = fmt.Sprintf("%s (%d times)", c.Calls[last], times)
	case times == 2 && !isPlumbing(c.Calls[last]):
		c.Calls = append(c.Calls, c.Calls[last])
	}
}

// invoked is the word for the functions by which the standard library calls others.
const invoked = "std::invoke"

// plumbing lists the classes and functions of libstdc++ and libc++ between a function and the one that it calls: how
// their names begin, and the word that stands for them.
var plumbing = [...]struct{ start, word string }{
	{"std::__invoke", invoked},
	{"std::invoke", invoked},
	{"std::_Function_handler", "std::function"},
	{"std::_Function_base", "std::function"},
	{"std::function<", "std::function"},
	{"std::__function::", "std::function"},
	{"std::_Bind", "std::bind"},
	{"std::__bind", "std::bind"},
	{"std::_Mem_fn", "std::mem_fn"},
	{"std::thread::", "std::thread"},
	{"std::__thread_proxy", "std::thread"},
	{"std::__thread_execute", "std::thread"},
	{"std::__future_base::", "std::async"},
	{"std::__async", "std::async"},
}

// isPlumbing reports whether name is one of the words that stand for plumbing.
func isPlumbing(name string) bool {
	for _, p := range plumbing {
		if name == p.word {
			return true
		}
	}
	return false
}

// versions are the inline namespaces by which builds of the standard library differ.
var versions = [...]string{"std::__1::", "std::__cxx11::", "std::__ndk1::", "std::__Cr::"}

// spokenName returns a function's name in a shorter form for people.
func spokenName(name string) string {
	if strings.Contains(name, "::{lambda") {
		name = spokenLambda(name)
	}
	for _, v := range versions {
		if rest, ok := strings.CutPrefix(name, v); ok {
			name = "std::" + rest
		}
	}
	if !strings.HasPrefix(name, "std::") {
		return name
	}
	for _, p := range plumbing {
		if strings.HasPrefix(name, p.start) {
			return p.word
		}
	}
	return strings.ReplaceAll(withoutGenerics(name), "<..>", "")
}

// spokenLambda returns "f::{lambda#2}" for "f::{lambda(int)#2}::operator()". A lambda within an argument stays as it
// is.
func spokenLambda(name string) string {
	before, after, _ := strings.Cut(name, "::{lambda")
	if strings.Contains(before, "<") || !strings.HasPrefix(after, "(") {
		return name
	}
	end := closing(after, 0)
	number, rest, ok := strings.Cut(after[end:], "}")
	if !ok || !strings.HasPrefix(number, "#") {
		return name
	}
	return before + "::{lambda" + number + "}" + strings.TrimPrefix(rest, "::operator()")
}
