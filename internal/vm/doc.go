// Package vm holds the vocabulary of a Linux address space on x86-64: addresses, page ranges,
// permissions, mappings, the operations that system calls perform on them, and the text of
// /proc/PID/maps, of /proc/PID/smaps and of pmap. It knows no owner, no history and no log, and does no I/O but
// reading from an io.Reader it is given.
package vm
