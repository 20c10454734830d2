package procfs

// Environ reads /proc/TID/environ, the environment that the program began with, K=V each.
func Environ(tid int) []string { return list(tid, "environ") }
