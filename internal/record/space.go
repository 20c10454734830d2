package record

import (
	"time"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
	"github.com/vmblame/vmblame/unwind"
)

// space is one address space under recording. Its ledger belongs to the mm: threads, vfork children and
// processes made with CLONE_VM share it.
type space struct {
	id     int
	pid    int
	mm     *mm.Space
	maps   *procfs.Maps // what mm asks; nil where it cannot be read, or not any more
	walker *unwind.Space

	users   int // tasks that use the mm
	exiting int // those of them that have reached their exit stop
	ended   bool
	proven  bool // the ledger was held against the kernel's view at the end

	gate   *order.Gate
	events order.Sequence
	compat bool // the note about 32-bit calls has been written

	stamps stamps

	above    bool      // it has been above Options.Bound since it was below
	most     uint64    // bytes that it has had above it
	measured time.Time // when the last snapshot for that was taken

	look    <-chan told        // nil where nobody looked into its memory
	content []classify.Finding // what memory told of it
}

// alone reports whether one task uses the space: its calls race with no other.
func (sp *space) alone() bool { return sp.users <= 1 }

// task is the recorder's side of a thread.
type task struct {
	thread *tracer.Thread
	space  *space
	pid    int
	name   string
	nsTID  int
	// readImpliesExec is READ_IMPLIES_EXEC of personality(2), which is a thread's and not a space's.
	readImpliesExec bool
	exiting         bool
	pending         pending
}

// pending is a call between its entry and its return.
type pending struct {
	order.Call
	task  *task
	space *space // the task's when it made the call
	call  tracer.Call
	value uint64 // what package mm wants to know of the result

	// Of a source that knows the order: the call's place in it, its result, and the task that a fork has made, with
	// its thread where that has started already.
	stamp   uint64
	result  int64
	own     vm.Mapping // what it has mapped, as the kernel showed it at its stop; empty where that is not needed
	gone    vm.Range   // what it has mapped, where nothing was left of that by then
	looked  []vm.Range // what was asked of the kernel before it is settled, and the answer
	rows    []vm.Mapping
	child   int
	line    *eventlog.Thread // where it is no call, but the end of a thread that made some
	started *tracer.Thread
	partial bool      // of its arguments only the texts are known
	reached time.Time // when everything before it had been settled, but it could not be

	// event is open where its place in the order was settled at the call's entry (a removal among several
	// threads, which is taken from the ledger before the kernel does it); taken is what it removed.
	event    *order.PendingEvent
	taken    []ledger.Change
	stack    int    // id of the stack, 0 for none
	text     string // execve: the path, read at entry
	snapshot *eventlog.Snapshot
}
