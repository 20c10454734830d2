package record

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/inspect"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
)

// Map returns the log of one moment of a process that runs: what is mapped, the kernel's figures, and what memory
// itself shows. Nothing is traced or stopped; tool is the name for the header.
func Map(pid int, tool string) ([]eventlog.Record, error) {
	start := time.Now()
	l, err := inspect.OpenLive(pid)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Error{Failed, fmt.Sprintf("map %d: no such process: check the pid (in a container, the host's numbers differ)", pid)}
	case errors.Is(err, fs.ErrPermission) && procfs.EffectiveUser(pid) == os.Geteuid():
		return nil, &Error{Failed, fmt.Sprintf("map %d: permission denied: it keeps its user from its memory (PR_SET_DUMPABLE), its program may not be read, or it has rights that vmblame lacks: that needs CAP_SYS_PTRACE (sudo)", pid)}
	case errors.Is(err, fs.ErrPermission):
		return nil, &Error{Failed, fmt.Sprintf("map %d: permission denied: it is another user's, or has rights that vmblame lacks: that needs CAP_SYS_PTRACE (sudo)", pid)}
	case errors.Is(err, procfs.ErrGone):
		return nil, &Error{Failed, fmt.Sprintf("map %d: it has no memory of its own: a kernel thread, or a process that has ended", pid)}
	case err != nil:
		return nil, &Error{Failed, fmt.Sprintf("map %d: %v", pid, err)}
	}
	defer l.Close()
	found := inspect.Look(&l.Process)

	now := func() int64 { return time.Since(start).Nanoseconds() }
	enc := newEncoder()
	of := ledger.New()
	rows := make([]vm.Mapping, len(l.Rows))
	for i := range l.Rows {
		rows[i] = l.Rows[i].Mapping
	}
	of.Load(rows, func(vm.Mapping) ledger.Origin { return ledger.Origin{Cause: ledger.BeforeAttach} })
	exe := procfs.Exe(pid)
	log := []eventlog.Record{
		newHeader(tool, "map", start, procfs.Cmdline(pid), procfs.Environ(pid), exe, pid, rows),
		&eventlog.Space{Space: 1, PID: pid, Cause: "attach", Exe: exe, Argv: procfs.Cmdline(pid), Environment: beganWith(pid, listedVariables()), Mappings: enc.mappings(of)},
	}
	for _, t := range l.Threads {
		log = append(log, &eventlog.Thread{TID: t.TID, PID: pid, Space: 1, What: "start", Name: t.Name, SP: eventlog.Hex(t.SP)})
	}
	if l.Refused != nil {
		log = append(log, &eventlog.Note{T: now(), Level: "info", Code: "memory-unread",
			Text: fmt.Sprintf("the memory of process %d cannot be read (%v): only its mappings tell what it is; with CAP_SYS_PTRACE (sudo) thread stacks, arenas, large allocations and runtimes would be known, too", pid, l.Refused)})
	}
	c := &eventlog.Content{T: now(), Space: 1}
	for i := range found {
		c.Findings = append(c.Findings, finding(&found[i]))
	}
	pages := procfs.Pagemap{TID: pid}
	defer pages.Close()
	log = append(log, c)
	if list, ok := enc.figures(classify.CutAtParts(of.List(), found), l.Rows, &pages); ok {
		log = append(log, &eventlog.Snapshot{T: now(), Space: 1, Cause: "map", Mappings: list, System: new(surroundings).system(pid, procfs.MemoryOf(pid))})
	} else {
		n := uncounted(pid, undivided)
		n.T = now()
		log = append(log, n)
	}
	return append(log, &eventlog.End{T: now(), Cause: "detach"}), nil
}
