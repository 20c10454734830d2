package procfs

// Environ reads /proc/TID/environ, the environment that the program began with, as K=V strings.
func Environ(tid int) []string { return list(tid, "environ") }
