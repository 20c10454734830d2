// Package analysis is the model of a log and the answers that are had from it. A State is what is mapped at one
// moment and who made it so; a Report, a Blame, a History, a Diff and the Summary of a recording are values,
// computed once, whose JSON is their encoding. What was not measured is nil in them.
//
// It writes no text but the words in the answers, knows no terminal and no width, opens no files and looks at no
// processes. Who is to blame of a stack is decided by callers, what a mapping is by classify.
package analysis
