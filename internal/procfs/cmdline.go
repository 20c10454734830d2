package procfs

// Cmdline reads /proc/TID/cmdline, the arguments of the program; it is empty, not nil, where there are none.
func Cmdline(tid int) []string { return list(tid, "cmdline") }

// ShortCmdline is Cmdline without the arguments beyond the first most bytes; all is the number of arguments, 0 if
// none is left out. The first argument is always whole.
func ShortCmdline(tid, most int) (argv []string, all int) {
	argv = Cmdline(tid)
	bytes := 0
	for i, a := range argv {
		if bytes += len(a) + 1; bytes > most && i > 0 {
			return argv[:i:i], len(argv)
		}
	}
	return argv, 0
}
