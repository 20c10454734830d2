package record

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// leftFor is how long processes that the program has left may live before that is said.
const leftFor = time.Second

// mainEnded runs when the launched program has ended. Others may be left, a daemon, say.
func (r *Recorder) mainEnded() {
	if len(r.tasks.left()) == 0 {
		return
	}
	if r.opts.UntilExit {
		r.end("detach")
		return
	}
	time.AfterFunc(leftFor, func() { r.wake.ask(r.sayLeft) })
}

// left are the processes that are recorded, by pid, with the name of one of their threads.
func (l tasks) left() map[int]string {
	list := make(map[int]string)
	for _, t := range l {
		if list[t.pid] == "" || t.thread.TID == t.pid {
			list[t.pid] = t.name
		}
	}
	return list
}

// sayLeft says what the recording waits for.
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
	r.out.note("warning", "outlived", fmt.Sprintf("the program has ended; the recording goes on until the last of what it left ends (%d: %s): SIGTERM to vmblame is passed to them, --until-exit would let them go",
		len(list), strings.Join(names, ", ")))
}
