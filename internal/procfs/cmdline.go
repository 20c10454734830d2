package procfs

// Cmdline reads /proc/TID/cmdline, the arguments of the program; it is empty, not nil, where there are none.
func Cmdline(tid int) []string { return list(tid, "cmdline") }
