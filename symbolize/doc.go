// Package symbolize names addresses of ELF files: function, file, line and the chain of inlined calls.
//
// A name is never a guess at the nearest symbol: a symbol names only addresses that it covers, and an address without
// one gets no name. Names come from several sources of one file, each in a file of this package behind the source
// interface, and are merged: a file with debugging information for a part of its code keeps the names that its symbol
// table has for the rest.
//
// The package does not unwind, knows no process and no log, and reads nothing but the files it is given, their
// separate debug files and what those refer to. These files are not trusted: a malformed file yields fewer names,
// never a panic, and work and memory are bounded.
package symbolize
