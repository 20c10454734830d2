// Package naming turns (module, offset) into symbol records: for a running recording, in the background and at its
// end ([Names]), and for a log that was recorded elsewhere or before debug symbols were installed ([Log]). Each
// address is looked up once. Which file a name comes from, and which build it has to be of, is decided here; how
// files are read is package symbolize's.
package naming
