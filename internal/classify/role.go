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

// supportNames are libraries that compilers, or older versions of the C library, put below every program.
var supportNames = [...]string{"libstdc++.so.", "libgcc_s.so.", "libc++.so.", "libc++abi.so.", "libunwind.so.", "libdl.so.", "librt.so.", "libm.so."}

// launcherCode is the most bytes of code of an executable that does no more than call a library: a page. R's, Guile's,
// CRuby's and Java's have less than 1 KiB.
const launcherCode = 4 << 10

// RoleOf is the role of a file by what it is, wherever it lies and whatever it is called. program says that it is an executable,
// with so many bytes of code: it carries inside itself what it exports, and is the program's own all the same.
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
