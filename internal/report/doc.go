// Package report writes answers for people: every text is a function of an answer of package analysis and a Style,
// and of nothing else. Live and Bound report on a recording under way; they are eventlog.Sinks.
//
// It opens no files, reads no processes, and computes nothing that is not in the answer.
package report
