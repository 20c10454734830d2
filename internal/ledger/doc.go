// Package ledger records which origin owns which addresses of one address space now: pieces of mappings, each with
// the one origin that mapped its pages where they are. Every method that changes a ledger says what it changed as a
// list of [Change], so that a recording, a replay of its log and a check of both run the same code.
//
// The package does not decide what a system call did, keeps no history, knows no process, no stack and no
// log format, and does no I/O.
package ledger
