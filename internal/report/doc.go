// Package report writes answers for people: every text is a function of an answer of analysis and a Style, and
// reads nothing else. Live and Bound tell of a recording under way; they are eventlog.Sinks.
//
// It opens no files, looks at no processes, and computes nothing that is not in the answer.
package report
