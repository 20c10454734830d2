// Package record is the pipeline: it takes stops from a tracer, decides their order, keeps one ledger
// per address space, has stacks walked and named, and hands records to sinks. It alone knows all the
// parts; it prints nothing and knows no format of output.
package record
