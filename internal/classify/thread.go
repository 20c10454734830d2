package classify

import "fmt"

// thread returns the thread that had tid at time t, or the first one that got it later.
func (v *view) thread(tid int, t int64) *Thread {
	if v.byTID == nil {
		v.byTID = make(map[int][]*Thread, len(v.Threads))
		for i := range v.Threads {
			x := &v.Threads[i]
			v.byTID[x.TID] = append(v.byTID[x.TID], x)
		}
	}
	var found *Thread
	for _, x := range v.byTID[tid] {
		if found == nil || x.Start <= t {
			found = x
		}
	}
	return found
}

// stackOwner returns the thread whose stack pointer was in entry i when it started: the last of those that still run,
// or else the last of all; nil if there is none.
func (v *view) stackOwner(i int) *Thread {
	if v.owners == nil {
		v.owners = map[int]*Thread{}
		for k := range v.Threads {
			t := &v.Threads[k]
			if t.SP == 0 {
				continue
			}
			// The pointer is at the very top if nothing has been pushed yet.
			at := v.at(t.SP - 1)
			if was := v.owners[at]; at >= 0 && (was == nil || t.End == 0 || was.End != 0) {
				v.owners[at] = t
			}
		}
	}
	return v.owners[i]
}

// lastActivity returns the latest time at which a thread is known to have started, or to have made a mapping that
// still exists. Threads that end with their process end after it.
func (v *view) lastActivity() int64 {
	if v.active == 0 {
		for i := range v.Threads {
			v.active = max(v.active, v.Threads[i].Start)
		}
		for _, ev := range v.events {
			if ev != nil {
				v.active = max(v.active, ev.T)
			}
		}
	}
	return v.active
}

// threadText names a thread.
func threadText(t *Thread) string {
	if t.Name == "" {
		return fmt.Sprint(t.TID)
	}
	return fmt.Sprintf("%d %s", t.TID, t.Name)
}
