package record

import (
	"time"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/vm"
	"github.com/vmblame/vmblame/tracer"
	"github.com/vmblame/vmblame/unwind"
)

// space is one address space under recording. Its ledger belongs to the mm: threads, vfork children and
// processes made with CLONE_VM share it.
type space struct {
	id     int
	pid    int
	ledger *ledger.Ledger
	view   kernelView
	walker *unwind.Space

	users   int // tasks that use the mm
	exiting int // those of them that have reached their exit stop
	ended   bool
	proven  bool // the ledger was held against the kernel's view at the end

	brk     uint64 // the program break, 0 where it is not known
	growing []growing

	inFlight  []*flight
	waiting   []*flight
	uncertain bool // a conflicting call was let go: settle from the kernel's view when quiet

	lastEvent uint64 // number of the last event that was settled
	compat    bool   // the note about 32-bit calls has been written

	above    bool      // more is mapped than Options.Bound
	measured time.Time // when the last snapshot for that was taken
}

// kernelView is what the kernel says is mapped in one address space: procfs.Maps.
type kernelView interface {
	All() ([]vm.Mapping, error)
	In(vm.Range) ([]vm.Mapping, error)
	At(uint64) (vm.Mapping, bool)
	PageSize(*vm.Mapping) uint64
	Close()
}

// quiet tells that no call of the space is in flight, so that ledger and kernel must agree.
func (sp *space) quiet() bool { return len(sp.inFlight) == 0 }

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
	flight          flight
}

// class says how a call is ordered against others of its space.
type class uint8

const (
	unordered class = iota // changes nothing that an order matters for
	chooser                // the kernel picks the place
	fixed                  // the place is known at entry
	exclusive              // neither is known
)

// flight is a call between its entry and its return.
type flight struct {
	task  *task
	call  tracer.Call
	class class
	at    vm.Range // what a fixed call, or a brk, works on
	isBrk bool
	live  bool // the whole of at was mapped when the call was let go

	active   bool // in flight or waiting
	admitted time.Time
	stuck    bool // it has blocked for longer than others are made to wait
	// settled is the event's number where its place in the order was settled at its entry (munmap among
	// several threads, whose removal is taken from the ledger before the kernel does it).
	settled   uint64
	record    *eventBox
	taken     []ledger.Change
	uncertain bool
	previous  uint64 // the last event of the space before this one
	withdrawn bool
	stack     int    // id of the stack, 0 for none
	text      string // execve: the path, read at entry
	snapshot  *eventlog.Snapshot
}
