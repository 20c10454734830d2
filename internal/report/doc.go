// Package report turns the records of a log into text: each view is an eventlog.Sink, so that it cannot
// tell whether it is fed by a recording under way or from a file. One file holds one view.
//
// It does not read logs or processes, resolve names or write JSON; it knows neither tracer nor symbol
// tables, only the records.
package report
