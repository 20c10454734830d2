package analysis

import (
	"cmp"
	"slices"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// threads follows threads, and through them which address spaces are in use.
type threads struct {
	byTID   map[int][]*thread // in order of their start
	bySpace map[int][]*thread // the same
	users   map[int]int       // living threads of a space; absent where none has been seen
	known   int               // how many there are
	sweep   int               // number of threads at which to prune next
	line    int               // of the log, of the record that is being put
}

// thread is the life of a thread, from its start, or its exec, to its end.
type thread struct {
	classify.Thread
	space  int
	ended  bool
	sealed bool // after the moment its tid was used for a new thread or image
	began  int  // line of the log
	gone   int  // line of the log, 0 while it lives
}

func newThreads() *threads {
	return &threads{byTID: map[int][]*thread{}, bySpace: map[int][]*thread{}, users: map[int]int{}, sweep: firstSweep}
}

// put adds a thread record that is not later than the moment. It returns the space that has lost its last thread by it,
// 0 for none.
func (l *threads) put(r *eventlog.Thread) (left int) {
	last := l.last(r.TID)
	if r.What != "start" && last != nil && !last.ended {
		l.end(last, r.T)
		if l.over(last.space) {
			left = last.space
		}
	}
	if r.What == "exit" {
		l.rename(r)
		return left
	}
	x := &thread{
		Thread: classify.Thread{TID: r.TID, PID: r.PID, Name: r.Name, SP: uint64(r.SP), TLS: uint64(r.TLS), Start: r.T},
		space:  r.Space,
		began:  l.line,
	}
	l.byTID[r.TID] = append(l.byTID[r.TID], x)
	l.bySpace[r.Space] = append(l.bySpace[r.Space], x)
	l.users[r.Space]++
	l.known++
	return left
}

// remember adds the thread of an event that is in an earlier segment of the log, if the thread ended before this
// segment began.
func (l *threads) remember(r *eventlog.Origin) {
	if x := l.at(r.TID, r.T); r.Name == "" || x != nil && x.Start <= r.T {
		return
	}
	x := &thread{Thread: classify.Thread{TID: r.TID, PID: r.PID, Name: r.Name, Start: r.T, End: r.T}, space: r.Space, ended: true}
	of := l.byTID[r.TID]
	i, _ := slices.BinarySearchFunc(of, r.T, func(x *thread, t int64) int { return cmp.Compare(x.Start, t) })
	l.byTID[r.TID] = slices.Insert(of, i, x)
	l.known++
}

// rename sets the name that a thread had at its end, since it may have renamed itself. The name of a later thread or
// image with the same tid is not used.
func (l *threads) rename(r *eventlog.Thread) {
	switch last := l.last(r.TID); {
	case last == nil:
	case r.What != "exit":
		last.sealed = true
	case r.Name != "" && !last.sealed:
		last.Name = r.Name
	}
}

// forget drops the threads of a space.
func (l *threads) forget(space int) {
	for _, x := range l.bySpace[space] {
		l.drop(x)
	}
	delete(l.bySpace, space)
	delete(l.users, space)
}

// drop removes a thread from the list for its tid.
func (l *threads) drop(x *thread) {
	rest := slices.DeleteFunc(l.byTID[x.TID], func(o *thread) bool { return o == x })
	if l.byTID[x.TID] = rest; len(rest) == 0 {
		delete(l.byTID, x.TID)
	}
	l.known--
}

// prune drops the threads that are not to be kept. It asks for those that started last first.
func (l *threads) prune(keep func(*thread) bool) {
	for space, list := range l.bySpace {
		slices.Reverse(list)
		list = slices.DeleteFunc(list, func(x *thread) bool {
			if keep(x) {
				return false
			}
			l.drop(x)
			return true
		})
		slices.Reverse(list)
		l.bySpace[space] = list
	}
	l.sweep = max(firstSweep, 2*l.known)
}

func (l *threads) end(x *thread, t int64) {
	x.ended, x.End, x.gone = true, t, l.line
	l.users[x.space]--
}

func (l *threads) last(tid int) *thread {
	if of := l.byTID[tid]; len(of) > 0 {
		return of[len(of)-1]
	}
	return nil
}

// over reports whether a space has no thread left.
func (l *threads) over(space int) bool {
	n, known := l.users[space]
	return known && n <= 0
}

// lastOf returns a time just before the last thread of a space ended: all that ended with it still count as living.
func (l *threads) lastOf(space int) int64 {
	var t int64
	for _, x := range l.bySpace[space] {
		t = max(t, x.End-1)
	}
	return t
}

// at returns the thread that had this tid at time t, nil if none is known.
func (l *threads) at(tid int, t int64) *thread {
	of := l.byTID[tid]
	i, _ := slices.BinarySearchFunc(of, t, func(x *thread, t int64) int {
		return cmp.Compare(x.Start, t+1)
	})
	switch {
	case i > 0:
		return of[i-1]
	case len(of) > 0:
		return of[0]
	}
	return nil
}

// name is what the thread of that tid was called at time t, "" where it is not known.
func (l *threads) name(tid int, t int64) string {
	if x := l.at(tid, t); x != nil {
		return x.Name
	}
	return ""
}

// of returns the threads of a space. Threads that ended after until count as living: a space is shown as it was before
// its last threads ended.
func (l *threads) of(space int, until int64) []classify.Thread {
	var list []classify.Thread
	for _, x := range l.bySpace[space] {
		t := x.Thread
		if t.End > until {
			t.End = 0
		}
		list = append(list, t)
	}
	return list
}
