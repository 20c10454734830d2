// Package mm keeps one address space, the kernel's mm: the ledger of who owns its pages, the program break, and the
// mappings that grow by themselves. A [Space] is told what system calls did, in the kernel's order, and returns what
// changed. What follows from a call's arguments and result is computed; all else is read from the kernel's view, a
// [View] that the caller provides. What the kernel shows and no call explains is returned as drift.
//
// The package starts nothing, reads no file and writes no record; it knows no task and no thread, nor who
// recorded the calls. A Space belongs to one goroutine.
package mm
