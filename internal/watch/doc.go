// Package watch is the terminal view of `vmblame watch`, in the manner of htop: processes, who holds their address space,
// the mappings of each, and what is known of one. It shows what a Source gives, at its newest moment or at an earlier one.
//
// It traces nothing, reads no files, and works nothing out about memory: the numbers are those of package analysis.
package watch
