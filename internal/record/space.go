package record

import (
	"time"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/mm"
	"github.com/vmblame/vmblame/internal/order"
	"github.com/vmblame/vmblame/internal/procfs"
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

	above    bool      // more is mapped than Options.Bound
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
	task *task
	call tracer.Call
	// event is open where its place in the order was settled at the call's entry (a removal among several
	// threads, which is taken from the ledger before the kernel does it); taken is what it removed.
	event    *order.PendingEvent
	taken    []ledger.Change
	stack    int    // id of the stack, 0 for none
	text     string // execve: the path, read at entry
	snapshot *eventlog.Snapshot
}
