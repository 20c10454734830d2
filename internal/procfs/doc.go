// Package procfs reads the kernel's files about a task, with one source file for each: what is mapped (maps, with
// PROCMAP_QUERY; smaps, pagemap), what was started (cmdline, environ, exe), and the settings that count for a task.
// It follows proc(5) and fs/proc of the kernel. It writes nothing, stops no thread and keeps nothing but open
// descriptors; what it reads of a running task may be out of date at once.
//
// A task is named by its tid; files about a process are read through any of its threads that still lives.
package procfs
