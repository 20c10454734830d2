// Package simulation shows order and mm every order that a kernel may show: a model of one address space's lock,
// its calls and its stops, without a process and without a clock. Threads make calls that succeed, fail, fail half
// way, sleep in the kernel, are refused by a filter of the program, and are killed at any point; stops are told in any
// order that is legal. After each step the ledger is held against the model, page by page and origin by origin, and
// the log is replayed.
//
// TwoStops plays a source that stops threads at entry and return, with a gate. OneStop plays one that stops them behind
// their calls and reads the kernel's order from rings of perf events, with nobody standing still meanwhile: stacks
// grow, drivers map, SIGTRAP is blocked or lost, and calls that nobody tells of are noticed by their locks.
//
// A run is its seed. One that fails is played again by
//
//	go test ./internal/simulation -run TestTwoStops -seed N   (or TestOneStop)
package simulation
