// Package callers says who is to blame of a call stack: which functions of it are the program's own, and
// which only carry out what these asked for: the wrappers of system calls, the C library, the loader,
// allocators and runtimes. It knows names of functions and files only; what an allocator or a runtime is
// called it is told (Allocator). It reads nothing and keeps no state.
package callers
