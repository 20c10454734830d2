package analysis

import (
	"path"
	"strings"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// ProcessName returns the name that a person would use for a process: the base name of argv[0], or the title that the
// process has set in its place ("nginx: worker process"); without arguments, the name of its first thread (comm),
// else the base name of its executable.
func ProcessName(argv []string, comm, exe string) string {
	first := ""
	if len(argv) > 0 {
		first = argv[0]
	}
	// Chromium's children have all arguments in argv[0], behind the path.
	if exe != "" && strings.HasPrefix(first, exe+" ") {
		first = exe
	}
	title := strings.Contains(first, " ") && first != exe && !strings.HasPrefix(first, "/")
	switch {
	case title:
		return strings.TrimRight(first, " ")
	case strings.Trim(first, "/.- ") != "":
		return strings.TrimPrefix(path.Base(first), "-") // a login shell's begins with a dash
	case comm != "":
		return comm
	case exe != "":
		return path.Base(exe)
	}
	return ""
}

// nameOf is what the process of a space is called at time t.
func (s *State) nameOf(sp *eventlog.SpaceState, t int64) string {
	return ProcessName(sp.Argv, s.threads.name(sp.PID, t), sp.Exe)
}
