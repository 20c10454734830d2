// Package inspect says what the memory of a process is by what stands in it: the control blocks of threads, the
// heap_info of malloc's arenas, the headers of chunks, the program headers of the files, the books that
// runtimes keep. It needs no trace and stops nobody.
//
// The process may run on meanwhile, and may be hostile: every structure is read in bounded pieces, only from
// pages that are resident (so that reading makes nothing resident), and a finding is made only where a second
// fact agrees with the first. What does not agree is no finding; it is left unknown.
//
// It opens no /proc file but through procfs, changes nothing, and knows neither ledger nor log.
package inspect
