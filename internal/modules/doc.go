// Package modules keeps the files that code runs from. A file is opened when it is first seen, and stays open,
// so that it keeps its identity and its names when it is unloaded, replaced or deleted. It answers package
// unwind's question, which code stands at an address, from a ledger.
//
// It names no code (package naming does) and writes no record: each new module is announced to the caller. A
// Table belongs to the goroutine that handles stops; what it opened may be read by others.
package modules
