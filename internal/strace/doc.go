// Package strace writes the system calls of a log as strace(1) does: arguments by name, flags joined by "|", the
// error in words. It traces nothing.
package strace
