package tracer

import "fmt"

// Backend is how a Tracer makes threads stop.
type Backend uint8

// The backends.
const (
	// BySeccomp: a filter stops the followed calls at their entry and return. Only for launched programs.
	BySeccomp Backend = iota
	// BySyscall: PTRACE_SYSCALL, which stops every call twice.
	BySyscall
	// BySigtrap: a perf event stops a thread after each call that took mmap_lock for writing, and after no other; see
	// sigtrap.go.
	BySigtrap
)

var backendNames = [...]string{"seccomp", "syscall", "sigtrap"}

// String returns the name by which the command line and the log know it.
func (b Backend) String() string { return backendNames[b] }

// ParseBackend finds a backend by its name.
func ParseBackend(name string) (Backend, error) {
	for i, n := range backendNames {
		if n == name {
			return Backend(i), nil
		}
	}
	return 0, fmt.Errorf("unknown backend %q: one of sigtrap, seccomp, syscall", name)
}
