package symbolize

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// maxMangled is the longest raw name that is demangled; a demangled name may have 64 KiB.
const maxMangled = 16 << 10

// demangled returns the readable form of a C++ (Itanium ABI) or Rust (legacy, v0) linkage name, and raw
// itself for any other.
func demangled(raw string) (name string) {
	if len(raw) > maxMangled || !mangled(raw) {
		return raw
	}
	// The demangler is well fuzzed; still, a name from a traced program must not end the recording.
	defer func() {
		if recover() != nil {
			name = raw
		}
	}()
	if s, err := demangle.ToString(raw, demangle.MaxLength(16)); err == nil && s != "" {
		return s
	}
	return raw
}

// mangled reports whether s may be a mangled name of C++ (Itanium ABI) or Rust (v0).
func mangled(s string) bool { return strings.HasPrefix(s, "_Z") || strings.HasPrefix(s, "_R") }

// newFrame returns a frame named by a linkage name.
func newFrame(raw string, start uint64) Frame {
	f := Frame{Function: demangled(raw), Start: start}
	if f.Function != raw {
		f.LinkageName = raw
	}
	return f
}
