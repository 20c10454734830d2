// Package vm holds the vocabulary of a Linux address space on x86-64: addresses, page ranges, permissions, mappings,
// the operations that system calls perform on them, and the text of /proc/PID/maps, of /proc/PID/smaps and of pmap.
// It knows nothing of owners, history or logs, and does no I/O.
package vm
