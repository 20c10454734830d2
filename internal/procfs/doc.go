// Package procfs reads the files that the kernel shows of a task, one file here for one of the kernel's: what
// is mapped (maps, with PROCMAP_QUERY; smaps, pagemap), what was started (cmdline, environ, exe), and the
// settings that count for a task. It follows proc(5) and fs/proc of the kernel. It writes nothing, stops
// nobody and remembers nothing but open descriptors; what it reads of a task that runs may be old by then.
//
// A task is named by its tid; files that are a process's are read by any of its threads that still lives.
package procfs
