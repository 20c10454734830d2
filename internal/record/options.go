package record

import (
	"io"
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/naming"
)

// Verify says when the ledger is compared with the kernel's view.
type Verify int

// The values of --verify.
const (
	VerifyEnd  Verify = iota // at the entry of execve, at detach and at the exit of the last user of the mm
	VerifyEach               // after every event as well
	VerifyOff
)

// Options are the options of run and attach.
type Options struct {
	// Command is the program and its arguments (run); PIDs the processes to attach to (attach). One is set.
	Command []string
	PIDs    []int

	// Open is called once, when the pid of the first traced process is known and before it runs or is
	// touched. It returns the sinks that take the records, the log first. A sink that fails is reported
	// on Warn and gets no more records; the recording goes on.
	Open func(pid int) ([]eventlog.Sink, error)
	// Names reports whether the symbol lines of a stack must reach the sinks before the first event that refers to it
	// (--live). Otherwise they come in the background and at the end.
	Names bool
	// NamesWithin is asked at the end, once the last stack is known, how long to wait for names, 0 for as long as it takes; nil
	// stands for that. Outcome.Rest is what was not waited for.
	NamesWithin func() time.Duration
	// Warn gets notes for the user, one line each without prefix; nil for none.
	Warn io.Writer

	Tool     string // name and version for the header
	NoStacks bool
	// DebugDirs are the directories of separate debug files, nil for /usr/lib/debug; Debuginfod the URLs of servers
	// to ask for files found in none of them.
	DebugDirs, Debuginfod []string

	MaxFrames int // of a stack, 0 means 256
	Verify    Verify
	NoFollow  bool
	Backend   string // "sigtrap", "seccomp", "syscall"; "" or "auto" for the best that works
	Bound     int64  // bytes: a snapshot is taken when a space becomes larger; 0 for none

	Advice bool // record the calls of madvise(2) that change which pages are in memory

	SnapshotEvery time.Duration // between the regular snapshots, 0 for none; longer if they take too much time

	// Only run.
	NoASLR    bool
	NoSeccomp bool
	Env       []string // K=V, added to or replacing the environment
	Chdir     string
	// UntilExit ends the recording when the launched program ends, and detaches from the processes that it leaves
	// running.
	UntilExit bool
	LSan      string // LeakSanitizer: "off" switches it off, "keep" leaves it on, "" leaves it on with a warning
	User      string
	// JITNames sets environment variables that make language runtimes write symbol names for JIT-compiled code (perf
	// maps).
	JITNames bool

	// Only attach.
	Duration time.Duration // 0 means until Ctrl-C or the target's end
}

// Outcome is how a recording ended.
type Outcome struct {
	// Exit is how the launched program ended, nil for attach.
	Exit *eventlog.Exit
	End  eventlog.End
	// Rest is what has no name in the log because what NamesWithin said was over, nil for nothing.
	Rest *naming.Rest
}

// ErrorKind sorts the failures that end a recording before or while it runs.
type ErrorKind int

// The kinds, with the exit status of run for each.
const (
	Failed        ErrorKind = iota // 125: vmblame itself failed
	NotExecutable                  // 126
	NotFound                       // 127
)

// Error is a failure with its kind. Text is complete: what was attempted, on what, why it failed, what to do.
type Error struct {
	Kind ErrorKind
	Text string
}

// Error returns the text.
func (e *Error) Error() string { return e.Text }
