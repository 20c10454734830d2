// Package eventlog is the event log: the records, the writer and the reader of their JSON lines, the
// replay that folds a log into one ledger per address space, the check that proves a log consistent, and
// the export of a log as one JSON document. docs/eventlog.md describes the format for everybody else.
//
// It does not trace, unwind or name anything, it prints nothing, and it knows no report: consumers of records
// implement Sink or call Reader.Next.
package eventlog
