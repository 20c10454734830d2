package analysis

import (
	"path"
	"strings"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// ProcessName is what a person calls a process: its argv[0], without the folder, or the title that it gave itself in its
// place ("nginx: worker process"); the name of its first thread (comm) where it has no arguments; the file of its
// executable where neither is known.
func ProcessName(argv []string, comm, exe string) string {
	first := ""
	if len(argv) > 0 {
		first = argv[0]
	}
	// Chromium's children have all their arguments in one, behind the file.
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
