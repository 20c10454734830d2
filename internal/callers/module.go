package callers

import (
	"path"
	"strings"
)

// IsGlibc reports whether a file is glibc's C library, by its name or path.
func IsGlibc(module string) bool {
	b := path.Base(module)
	return strings.HasPrefix(b, "libc.so.6") || strings.HasPrefix(b, "libc-2") || strings.HasPrefix(b, "libpthread")
}

// IsMusl reports whether a file is musl's C library, which is its loader too.
func IsMusl(module string) bool {
	b := path.Base(module)
	return strings.HasPrefix(b, "ld-musl") || strings.HasPrefix(b, "libc.musl") || b == "libc.so"
}

// IsLibc reports whether a file is a C library, of glibc or of musl.
func IsLibc(module string) bool { return IsGlibc(module) || IsMusl(module) }

// IsLoader reports whether a file is a dynamic loader. That of musl is its C library too.
func IsLoader(module string) bool {
	b := path.Base(module)
	return strings.HasPrefix(b, "ld-linux") || strings.HasPrefix(b, "ld-musl") || strings.HasPrefix(b, "ld-2.") || b == "ld.so"
}

// systemDirs hold libraries that are not part of the traced program.
var systemDirs = [...]string{"/lib/", "/lib64/", "/lib32/", "/usr/lib/", "/usr/lib64/", "/usr/lib32/", "/usr/local/lib/", "/nix/store/"}

// isOwn reports whether a file is part of the program that runs exe: the executable, a library that is not
// the system's, or code that the program made itself.
func isOwn(module, exe string) bool {
	if module == exe {
		return true
	}
	return !inKernel(module) && !startsWithOne(module, systemDirs[:]) && !IsLoader(module)
}

// inKernel reports whether code belongs to no file.
func inKernel(module string) bool { return module == "[vdso]" || module == "?" }

func startsWithOne(s string, list []string) bool {
	for _, x := range list {
		if strings.HasPrefix(s, x) {
			return true
		}
	}
	return false
}
