package classify

import (
	"fmt"

	"github.com/vmblame/vmblame/internal/callers"
)

// Usage is what a process holds of one kind of memory, in bytes. A thing is what a person counts: an arena, a stack,
// a file.
type Usage struct {
	Row                 *Row
	Things              []int64 // what each reserves
	Reserved, Committed int64
	Resident, Swapped   int64                                   // 0 where they are not known
	Fullest             int64                                   // resident in the fullest thing
	Known               bool                                    // Resident, Swapped and Fullest are known
	Size                func(int64) string                      // writes a size for people
	Recorded            func(string) string                     // what the header of the log has under a name, "" where it has nothing
	Loaded              func(is func(callers.Module) bool) bool // reports whether such a file is mapped
}

// Advise suggests how a process could use less of a kind, and how many bytes that would save: of address
// space, or of memory where the text says so. It returns "" where nothing would help.
type Advise func(u *Usage) (spared int64, text string)

// noAdvice is for kinds that no setting reduces.
func noAdvice(*Usage) (int64, string) { return 0, "" }

// addressOnly is the advice for memory that is reserved and inaccessible: it costs addresses alone.
func addressOnly(how string) Advise {
	return func(u *Usage) (int64, string) {
		spared := u.Reserved - u.Committed
		name := u.Row.Words.One
		return spared, fmt.Sprintf("%s of %s reserved as %s are address space only: %s", u.Size(spared), u.Size(u.Reserved), name, how)
	}
}
