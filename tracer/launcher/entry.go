package launcher

// The variables of vmblame_entry, which runs before Go's runtime does (entry_amd64.s). It is the entry point of executables
// that are linked with -E vmblame_entry; in others they stay as they are here.
var (
	// closed has a bit for each of the descriptors 0 to 2 that was closed when this process began. Go's runtime opens
	// /dev/null there (runtime/fds_unix.go), which cannot be told afterwards from one that was given.
	closed uint32

	// looked reports whether ignored and blocked are the signals that this process was given ignored and blocked, signal N in
	// bit N-1. Go's runtime installs its handlers over them.
	looked           uint32
	ignored, blocked uint64

	// helper is argv[0] of the launch helper, which the entry point is itself.
	helper = Name + "\x00"

	// leastSpace is the smallest RLIMIT_AS, in bytes, with which to begin. Go's runtime reserves addresses for what it may
	// need: below 740 MiB, and again between 1.1 and 1.25 GiB, it dies with a page of text; and where there is little left
	// of more it would later, with the program.
	leastSpace     uint64 = 3 << 29
	tooLittleSpace        = "vmblame: the address space limit (ulimit -v) is below the 1.5 GiB that vmblame needs; " +
		"to limit the program alone: vmblame run sh -c 'ulimit -v N; exec PROGRAM'\n"
)

// Closed returns a bit for each of the descriptors 0 to 2 that was closed when this process began: a program that it
// starts should find them so. None is known to be where the executable was linked without its own entry point.
func Closed() uint32 { return closed }

// Signals returns the signals that this process was given ignored and blocked, signal N in bit N-1: a program that it starts
// should find them so. They are not known where the executable was linked without its own entry point.
func Signals() (ignore, block uint64, known bool) { return ignored, blocked, looked != 0 }
