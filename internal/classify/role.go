package classify

import (
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
)

// An Image is an ELF file whose role is asked for.
type Image interface {
	SOName() string           // the name that it gives itself as a library, "" for none
	Exports(name string) bool // reports whether it defines a dynamic symbol
}

// supportNames are the runtime libraries that compilers, or older versions of glibc, link into every program.
var supportNames = [...]string{"libstdc++.so.", "libgcc_s.so.", "libc++.so.", "libc++abi.so.", "libunwind.so.", "libdl.so.", "librt.so.", "libm.so."}

// launcherCode is the largest size in bytes of the code of an executable that only calls a library: one page. Those
// of R, Guile, CRuby and Java have less than 1 KiB.
const launcherCode = 4 << 10

// RoleOf returns the role of a file, derived from its content and not from its path. program says that it is an
// executable, and code is the size of its code: an executable that exports an allocator's symbols because it is
// linked statically still counts as the program.
func (c *Catalogue) RoleOf(m Image, program bool, code uint64) callers.Role {
	name := m.SOName()
	for i := range c.families {
		f := &c.families[i]
		if f.Role == "" || len(f.Exports) == 0 || program && name == "" && !f.Language {
			continue
		}
		if !slices.ContainsFunc(f.Exports, func(s string) bool { return !m.Exports(s) }) {
			return f.Role
		}
	}
	switch {
	case strings.HasPrefix(name, "libpthread.so."):
		return callers.Glibc
	case slices.ContainsFunc(supportNames[:], func(s string) bool { return strings.HasPrefix(name, s) }):
		return callers.Support
	case program && name == "" && code <= launcherCode:
		return callers.Launcher
	}
	return callers.Other
}
