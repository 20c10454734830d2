// Package analysis is the model of a log and of the answers drawn from it. A State is what is mapped at one
// moment, and who made it; a Report, a Blame, a History, a Diff and the Summary of a recording are values,
// computed once, whose JSON is their encoding. What was not measured is nil in them.
//
// It produces no text but the words in the answers, knows nothing of terminals or widths, opens no files and reads no
// processes. Package callers decides who is to blame for a stack, package classify what a mapping is.
package analysis
