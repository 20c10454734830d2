// Package segment cuts a recording into logs each of which can be read by itself. A segment begins with the state: the
// address spaces in use, their threads, and the events that made what is mapped. Stacks, modules and names come again
// where they are first needed. The package opens no file.
package segment
