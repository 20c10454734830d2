// Package callers says which functions of a call stack are to blame: which are the program's own, and which only act
// on their behalf: the wrappers of system calls, the C library, the loader, allocators and runtimes. It works on
// names of functions and files only; the names of allocators and runtimes are passed in (Allocator). It reads nothing
// and keeps no state.
package callers
