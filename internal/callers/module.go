package callers

import (
	"path"
	"strings"
)

// A Role is what a file is to the programs that load it: a C library, a loader, an allocator, a runtime. A recording finds
// it out from what the file is (its name as a library, the symbols that it exports), wherever it lies.
type Role string

// The roles that this package knows; families of allocators and runtimes have others.
const (
	Unknown  Role = ""         // nobody has looked: its name has to tell
	Other    Role = "other"    // none of those that are known
	Launcher Role = "launcher" // an executable with hardly any code: what it runs lies in a library
	Glibc    Role = "glibc"
	Musl     Role = "musl"
	Loader   Role = "loader"  // glibc's dynamic loader; that of musl is its C library
	Support  Role = "support" // what compilers put below every program: libstdc++, libgcc_s
)

// A Module is a file that code runs from, or what stands for one ("[vdso]").
type Module struct {
	Path string
	Role Role
}

// Named returns the module for a path of which nothing else is known.
func Named(path string) Module { return Module{Path: path} }

// Base is the file's name without directories.
func (m Module) Base() string { return path.Base(m.Path) }

// is reports whether the module has a role, by what it is where that is known, or else by its name.
func (m Module) is(role Role, named func(base string) bool) bool {
	if m.Role != Unknown {
		return m.Role == role
	}
	return named(m.Base())
}

// IsGlibc reports whether a file is glibc's C library.
func (m Module) IsGlibc() bool {
	return m.is(Glibc, func(b string) bool {
		return strings.HasPrefix(b, "libc.so.6") || strings.HasPrefix(b, "libc-2") || strings.HasPrefix(b, "libpthread")
	})
}

// IsMusl reports whether a file is musl's C library, which is its loader too.
func (m Module) IsMusl() bool {
	return m.is(Musl, func(b string) bool {
		return strings.HasPrefix(b, "ld-musl") || strings.HasPrefix(b, "libc.musl") || b == "libc.so"
	})
}

// IsLibc reports whether a file is a C library, of glibc or of musl.
func (m Module) IsLibc() bool { return m.IsGlibc() || m.IsMusl() }

// IsLoader reports whether a file is a dynamic loader. That of musl is its C library too.
func (m Module) IsLoader() bool {
	return m.IsMusl() && m.Role != Unknown || m.is(Loader, func(b string) bool {
		return strings.HasPrefix(b, "ld-linux") || strings.HasPrefix(b, "ld-musl") || strings.HasPrefix(b, "ld-2.") || b == "ld.so"
	})
}

// isSupport reports whether a file is what compilers put below every program, or a part of the C library that programs
// do not allocate by.
func (m Module) isSupport() bool {
	return m.is(Support, func(b string) bool { return strings.HasPrefix(b, "libdl.so") || strings.HasPrefix(b, "libstdc++") })
}

// systemDirs hold libraries that are not part of the traced program.
var systemDirs = [...]string{"/lib/", "/lib64/", "/lib32/", "/usr/lib/", "/usr/lib64/", "/usr/lib32/", "/usr/local/lib/", "/nix/store/"}

// Root is the directory below which the system of a C library or loader lies, as seen from here: "" for that of this
// machine, "/srv/jail" for one whose C library is /srv/jail/lib/libc.so.6. ok is false for other files, and where a C library
// lies in no system's directory.
func (m Module) Root() (root string, ok bool) {
	if !m.IsLibc() && !m.IsLoader() {
		return "", false
	}
	first := -1
	for _, dir := range systemDirs {
		if i := strings.Index(m.Path, dir); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	if first < 0 {
		return "", false
	}
	return m.Path[:first], true
}

// isOwn reports whether a file is part of the program that runs exe: the executable, a library that is not the
// system's, or code that the program made itself. roots are the directories below which system libraries may lie
// (Module.Root).
func isOwn(m Module, exe string, roots []string) bool {
	if m.Path == exe {
		return true
	}
	if inKernel(m.Path) || m.IsLoader() || m.IsLibc() || m.isSupport() {
		return false
	}
	for _, root := range roots {
		if below, ok := strings.CutPrefix(m.Path, root); ok && startsWithOne(below, systemDirs[:]) {
			return false
		}
	}
	return !startsWithOne(m.Path, systemDirs[:])
}

// inKernel reports whether code belongs to no file.
func inKernel(module string) bool { return module == "[vdso]" || module == "?" }

// startsWithOne reports whether s begins with one of the prefixes in list.
func startsWithOne(s string, list []string) bool {
	for _, x := range list {
		if strings.HasPrefix(s, x) {
			return true
		}
	}
	return false
}
