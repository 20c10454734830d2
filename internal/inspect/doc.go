// Package inspect says what the memory of a process is by its contents: the control blocks of threads, the heap_info
// of malloc's arenas, the headers of chunks, the program headers of files, the data structures of runtimes. It traces
// and stops nothing.
//
// The process keeps running, and may be hostile: every structure is read in bounded pieces, only from
// pages that are resident (so that reading makes nothing resident), and a finding is made only where a second
// fact agrees with the first. Where none does, the memory stays unknown.
//
// It opens files of /proc only through package procfs, changes nothing, and knows neither ledger nor log.
package inspect
