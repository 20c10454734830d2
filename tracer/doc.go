// Package tracer makes threads stop and says why. It knows ptrace(2), seccomp(2) and the x86-64 system
// call ABI, and hands out stops through the small interface Source; it knows no ledger, no stacks and no
// log.
//
// Words are those of ptrace(2): a tracee is one thread; it is in a syscall-enter-stop, syscall-exit-stop,
// group-stop, signal-delivery-stop or event stop. Signals, group-stops and the bookkeeping of threads are
// settled inside; only what can change an address space or end a thread reaches the caller.
//
// All of a Tracer's methods but Wake must be called from one goroutine that is locked to the process's
// first OS thread: ptrace ties a tracee to the thread that seized it, and TracerPid then is our pid.
package tracer
