package symbolize

import "time"

// Frame is one function of a Symbol: the function that contains the address, or one inlined there.
type Frame struct {
	// Function is the demangled name.
	Function string
	// LinkageName is the raw name where it differs from Function, else empty.
	LinkageName string
	// Start is where the covering range of the function begins, in the file's own virtual addresses: its
	// entry, or for an address in a part that the compiler split off, the beginning of that part.
	Start uint64
	// File and Line say where in the source the address stands; for a frame that is not the innermost,
	// where the next inner one was inlined. Empty and 0 where that is not known.
	File string
	Line int
	// Unit is the source file that the function is local to, where the symbol table alone tells: its name without a directory. A
	// function that a symbol table names and that has neither is seen in all of the program.
	Unit string
	// Inlined reports whether the function was inlined into the next frame's.
	Inlined bool
}

// Symbol is the name of one address.
type Symbol struct {
	// Frames are the functions at the address, innermost inlined one first; the last has Inlined false.
	Frames []Frame
	// Source says where the name comes from: "dwarf", "gopclntab", "symtab", "minidebuginfo", "dynsym", "plt",
	// "vdso", "perfmap"; with "-nosize" added where the symbol has no size of its own.
	Source string
	// Approximate reports whether the symbol has no size and was assumed to extend to the end of its unwind table
	// entry or the next symbol.
	Approximate bool
}

// Options says where to look beyond the file itself.
type Options struct {
	// DebugDirs are the directories of separate debug files; nil means /usr/lib/debug.
	DebugDirs []string
	// Cache is the directory where names are kept between runs, "" for none; see DefaultCache.
	Cache string
	// Debuginfod are the URLs of debuginfod servers that are asked for the debug files of images that have
	// none on this machine; none are asked unless some are given. DebuginfodURLs reads them from the
	// environment.
	Debuginfod []string
	// DebuginfodCache is the directory where downloads are kept; empty means that of elfutils' client,
	// $DEBUGINFOD_CACHE_PATH or else $XDG_CACHE_HOME/debuginfod_client.
	DebuginfodCache string
	// DebuginfodCacheOnly reports whether only the cache is used and no server is asked.
	DebuginfodCacheOnly bool
	// DebuginfodTimeout bounds one request; 0 means 90 seconds, as elfutils has it.
	DebuginfodTimeout time.Duration
}
