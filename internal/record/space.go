package record

import (
	"syscall"
	"time"
	"unsafe"

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
	maps   *procfs.Maps   // what mm reads; nil if it cannot be read, or no longer
	pages  procfs.Pagemap // counts for advice; it stays that of the mm when the task that it was opened by is gone
	walker *unwind.Space
	live   func(*space) *task

	users   int // tasks that use the mm
	exiting int // users that have reached their exit stop
	ended   bool
	looked  bool // the last look at it was taken
	dying   int  // the process of which all threads are ending, 0 for none
	proven  bool // the ledger was compared with the kernel's view at the end

	gate   *order.Gate
	events order.Sequence
	compat bool // the note about 32-bit calls has been written

	noticed map[tracer.Notice]bool // the notices already given for its program; nil for none

	stamps stamps

	above    bool      // its size is above Options.Bound now
	most     uint64    // the largest size in bytes above the bound
	measured time.Time // when the last snapshot for that was taken

	uncounted bool // it was said that there are no figures of its memory

	environment *eventlog.SpaceEnvironment // of its program, at the program's start

	look    <-chan told        // nil if its memory was not inspected
	content []classify.Finding // what inspecting its memory found
}

// ID implements modules.Space, as the four below do.
func (sp *space) ID() int { return sp.id }

// Ledger is what is mapped.
func (sp *space) Ledger() *ledger.Ledger { return sp.mm.Ledger() }

// Maps is what the kernel says of it.
func (sp *space) Maps() *procfs.Maps { return sp.maps }

// TID is a task that uses the space, 0 where none is left.
func (sp *space) TID() int {
	if t := sp.live(sp); t != nil {
		return t.thread.TID
	}
	return 0
}

// ReadMemory reads the space's memory through any of its live tasks.
func (sp *space) ReadMemory(addr uint64, p []byte) int {
	if t := sp.live(sp); t != nil {
		return t.thread.ReadMemory(addr, p)
	}
	return 0
}

// touchedCode invalidates what the unwinder has cached about executable pages that changed.
func (sp *space) touchedCode(changes []ledger.Change) {
	for i := range changes {
		c := &changes[i]
		if c.Was != nil && c.Was.Perms&vm.Exec != 0 || c.Now != nil && c.Now.Perms&vm.Exec != 0 {
			sp.walker.Invalidate(c.Range)
		}
	}
}

// forgetCode drops, after a fork, what the child's unwinder has inherited about executable memory without a file:
// parent and child may now write different code there.
func (sp *space) forgetCode() {
	for e := range sp.Ledger().All {
		if e.Perms&vm.Exec != 0 && e.File.Inode == 0 && e.File.Path != "[vdso]" {
			sp.walker.Invalidate(e.Range)
		}
	}
}

// alone reports whether a single task uses the space, so that no other task's call can race with its own.
func (sp *space) alone() bool { return sp.users <= 1 }

// tasks are the threads that are recorded, by tid.
type tasks map[int]*task

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
	task   *task
	space  *space // the task's when it made the call
	call   tracer.Call
	before *int64            // of advice that moves pages: the bytes of its range in memory at its entry, nil if not counted
	value  uint64            // mm.Return.Value
	limits map[string]string // eventlog.Event.Limits

	// From a source that knows the order: the call's place, its result, and the task that a fork has created, with
	// its thread if it has started.
	stamp   uint64
	result  int64
	own     vm.Mapping // what it mapped, as the kernel's view showed it at the thread's stop; empty if not needed
	gone    vm.Range   // what it mapped, if nothing of it was left by then
	looked  []vm.Range // the ranges of the kernel's view read before it is settled, and their rows
	rows    []vm.Mapping
	child   int
	line    func() // set for what is no call but is queued behind some: writes its line
	started *tracer.Thread
	partial bool      // only its string arguments are known
	reached time.Time // when it came first in the queue but could not be settled yet

	// event is open where its place in the order was settled at the call's entry (a removal among several
	// threads, which is taken from the ledger before the kernel does it); taken is what it removed.
	event    *order.PendingEvent
	taken    []ledger.Change
	stack    int    // id of the stack, 0 for none
	text     string // execve: the path, read at entry
	snapshot *eventlog.Snapshot
}

// word reads a word of the tracee's memory. It returns 0 if that fails.
func (f *pending) word(addr uint64, size int) uint64 {
	var w uint64
	f.task.thread.ReadMemory(addr, unsafe.Slice((*byte)(unsafe.Pointer(&w)), size))
	return w
}

// mmReturn is how the call came back, for package mm.
func (f *pending) mmReturn(errno syscall.Errno, number uint64) mm.Return {
	return mm.Return{Event: number, Value: f.value, Errno: errno, ReadImpliesExec: f.task.readImpliesExec, Own: f.own, Gone: f.gone}
}

// readResult reads the value of a successful call that returns it in the tracee's memory and not in a register.
func (f *pending) readResult() {
	switch c := &f.call; {
	case c.Op.Kind == vm.OpAioSetup:
		f.value = f.word(c.Args[1], 8)
	case c.Op.Kind == vm.OpShadowStack:
		c.Op.Len = c.Args[1]
	case c.Op.Kind == vm.OpShmAttach && c.Syscall.Nr < 0: // ipc(2) of i386
		if c.Args[0] == 22 {
			c.Op.Kind, c.Op.Addr = vm.OpShmDetach, c.Args[4]
		} else {
			f.value, c.Op.FD = f.word(c.Args[3], 4), int(c.Args[1])
		}
	}
}
