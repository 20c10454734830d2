// Package export writes what a log says in formats that other tools read: profiles (pprof, folded stacks, speedscope),
// traces (Perfetto, Chrome) and tables (CSV, Parquet). Every number is that of the answers of package analysis, or is
// counted from the log's events up to the same moment.
//
// It decides nothing about memory, reads no command line, and chooses no file names but those of tables.
package export
