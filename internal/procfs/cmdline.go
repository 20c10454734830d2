package procfs

// Cmdline reads /proc/TID/cmdline, the arguments of the program; it is empty, not nil, where there are none.
func Cmdline(tid int) []string { return list(tid, "cmdline") }

// ShortCmdline is Cmdline, but for the arguments behind the first most bytes: all tells how many there are, 0
// where none is left out. At least the first argument is whole.
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
