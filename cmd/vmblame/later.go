package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/naming"
)

// A program's end does not wait for the names of its frames: what is left of them is looked up by a process of its own,
// which is given the log and the files that are to be read, open as they are.

const (
	// namesWithin is how long the end of a recording waits for names if it prints nothing that contains names; saidWithin
	// if it prints a summary; readWithin if a program reads the result.
	namesWithin = 50 * time.Millisecond
	saidWithin  = 2 * time.Second
	readWithin  = 10 * time.Second

	// namerName is argv[0] of the process that finds the remaining names.
	namerName = "vmblame-names"
	// firstFile is its descriptor of the first file that it reads; the descriptor before that is the log's.
	firstFile = 4
)

// task is what the naming process is asked to do. It reads it from its standard input.
type task struct {
	At     int64 // as in eventlog.Unfinished
	Packed bool
	Rest   *naming.Rest
}

// howLong returns how long the end waits for names, 0 for as long as it takes. It waits for all of them if nobody could
// add them later, since the log is not a regular file or is bounded, and if vmblame or its parent is process 1: when
// that ends, the kernel may kill all other processes, such as those of a container.
func (r *recording) howLong() time.Duration {
	first := os.Getpid() == 1 || os.Getppid() == 1
	switch {
	case first || r.log == nil || !r.log.regular || r.log.bounded != nil || !r.log.w.MayLackNames():
		return 0
	case r.summary == nil:
		return namesWithin
	case r.json || r.limits.any() || os.Getenv("GITHUB_STEP_SUMMARY") != "":
		return readWithin
	}
	return saidWithin
}

// nameLater has rest named by another process, and by this one where there can be none. It reports whether names are still to come.
func nameLater(rest *naming.Rest, log *eventlog.Unfinished) bool {
	defer log.File.Close()
	if startNamer(rest, log) == nil {
		return true
	}
	_ = log.Finish(rest.Names()) // without them the log is whole
	return false
}

// startNamer starts the naming process in a session of its own. It inherits only the log and the files that it reads.
func startNamer(rest *naming.Rest, log *eventlog.Unfinished) error {
	for i, dir := range rest.DebugDirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return err
		}
		rest.DebugDirs[i] = abs
	}
	fd, err := unix.MemfdCreate(namerName, unix.MFD_CLOEXEC)
	if err != nil {
		return fmt.Errorf("memfd_create: %w", err)
	}
	in := os.NewFile(uintptr(fd), namerName)
	defer in.Close()
	if err := json.NewEncoder(in).Encode(task{log.At, log.Packed, rest}); err != nil {
		return err
	}
	if _, err := in.Seek(0, 0); err != nil {
		return err
	}
	cmd := exec.Cmd{Path: "/proc/self/exe", Args: []string{namerName, log.File.Name()}, Dir: "/", Stdin: in,
		ExtraFiles: append([]*os.File{log.File}, rest.Files()...), SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	return cmd.Start()
}

// nameRest is the main function of the naming process. It returns the exit status, which nobody reads.
func nameRest() int {
	var t task
	if json.NewDecoder(os.Stdin).Decode(&t) != nil || t.Rest == nil {
		return exitFailed
	}
	log := &eventlog.Unfinished{File: os.NewFile(firstFile-1, os.Args[len(os.Args)-1]), At: t.At, Packed: t.Packed}
	t.Rest.Open(func(place int) *os.File { return os.NewFile(uintptr(firstFile+place), "") })
	if log.Finish(t.Rest.Names()) != nil {
		return exitFailed
	}
	return 0
}
