package record

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// leftFor is how long to wait, after the launched program has ended, before the user is told which processes it has
// left running.
const leftFor = time.Second

// expectedAgain is how long to wait before children that have been announced are looked for again.
const expectedAgain = 10 * time.Millisecond

// mainEnded is called when the launched program has ended. Processes that it started, such as a daemon, may still
// run.
func (r *Recorder) mainEnded() {
	if len(r.tasks.left()) == 0 {
		// A child may have been announced whose first stop has not come: it needs a processor for that.
		if len(r.expected) > 0 {
			time.AfterFunc(expectedAgain, func() { r.wake.ask(r.mainEnded) })
		}
		return
	}
	if r.opts.UntilExit {
		r.end("detach")
		return
	}
	time.AfterFunc(leftFor, func() { r.wake.ask(r.sayLeft) })
}

// left returns the recorded processes, by pid, each with the name of one of its threads.
func (l tasks) left() map[int]string {
	list := make(map[int]string)
	for _, t := range l {
		if list[t.pid] == "" || t.thread.TID == t.pid {
			list[t.pid] = t.name
		}
	}
	return list
}

// sayLeft tells the user which processes the recording still waits for.
func (r *Recorder) sayLeft() {
	list := r.tasks.left()
	if len(list) == 0 || r.ending != "" {
		return
	}
	const most = 3
	var names []string
	for _, pid := range slices.Sorted(maps.Keys(list)) {
		if len(names) == most {
			names = append(names, "…")
			break
		}
		names = append(names, fmt.Sprintf("%d %s", pid, list[pid]))
	}
	r.out.note("warning", "outlived", fmt.Sprintf("the program has ended; the recording goes on until the processes that it left have ended (%d: %s): SIGTERM to vmblame is passed to them, --until-exit would release them",
		len(list), strings.Join(names, ", ")))
}
