// Package report turns the records of a log into text and JSON. A view of a recording under way (Live,
// Summary, Bound) is an eventlog.Sink, so that it cannot tell whether it is fed live or from a file. A view of
// a finished log is made from a Scene, the state at one moment: Report, Blame, History, Diff. One file holds
// one view.
//
// It opens no files and looks at no processes, resolves no names, and knows neither tracer nor symbol
// tables, only the records, the ledgers that they add up to, and what classify makes of them.
package report
