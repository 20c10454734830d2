// Package modules keeps the files that code runs from. A file is opened when first seen, and stays open, so that its
// identity and names stay available after it is unloaded, replaced or deleted. From a ledger it answers package
// unwind's question which code is at an address.
//
// It names no code (package naming does) and writes no record: each new module is announced to the caller. A
// Table belongs to the goroutine that handles stops; what it opened may be read by others.
package modules
