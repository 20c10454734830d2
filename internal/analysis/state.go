package analysis

import (
	"errors"
	"io"
	"slices"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
)

// A State is what is mapped at one moment of a log in every address space in use at that time, and who
// made it. All answers about a finished log are computed from it. It is not safe for concurrent use.
type State struct {
	Moment Moment
	T      int64  // of the moment, nanoseconds since the recording began
	Seq    uint64 // the last event before it
	Cut    bool   // the log ends without its end line

	only      *Filter // nil for all
	known     *classify.Catalogue
	header    *eventlog.Header
	end       *eventlog.End // nil where the log is cut
	names     *Names
	threads   *threads
	origins   *origins
	processes []*process
	peak      int64 // bytes, the most that the chosen processes had mapped together up to the moment
	chains    map[chainKey]callers.Chain
	failures  failures
	advised   advised
	limits    map[int]map[string]string // by space: the last that a call which was refused memory had, where they are not what its program began with
	memory    int64                     // bytes that the machine has, 0 where that was not recorded
	exits     map[int]*eventlog.Exit    // how processes ended, by space
	unnamed   map[string][]Module       // by the label of a step without a name
	makings   []Making
}

type chainKey struct {
	stack int
	exe   string
}

// A process is one address space at the moment of a State, under the pid that began it.
type process struct {
	*eventlog.SpaceState
	first    bool  // the launched, or first attached, one
	until    int64 // its last moment, or the state's
	ended    bool
	threads  []classify.Thread
	mappings []mapping // ascending
	objects  []*object // what they are, nil until somebody asks
	taken    int64     // when the figures of resident memory were, -1 for never
	figures  *snapshot // the nearest one, nil for none
	peak     int64     // bytes, the most that it had mapped, under this program or one that it executed before
	peakT    int64     // when that was
}

// A mapping is one entry of a ledger with everything that is known about it.
type mapping struct {
	ledger.Entry
	classify.Verdict
	row     *classify.Row   // of its kind
	event   *classify.Event // nil where no event made it
	guarded int64           // bytes that cannot be accessed, though the rest of it can: see guards
	begin   *int            // rows of the kernel's that begin in it, nil where nobody counted them
	usage
}

// usage holds the kernel's figures in bytes, for those pages that a snapshot has counted, which may not be all.
type usage struct {
	asked                 int64
	rss, pss, dirty, swap int64
	shared, huge, locked  int64 // of rss
}

func (f *usage) add(o usage) {
	f.asked += o.asked
	f.rss += o.rss
	f.pss += o.pss
	f.dirty += o.dirty
	f.swap += o.swap
	f.shared += o.shared
	f.huge += o.huge
	f.locked += o.locked
}

// Open opens a log from its beginning. It is called once for every time the log is read.
type Open func() (*eventlog.Reader, error)

// ErrNoProcess means that the log has no process with the requested pid.
var ErrNoProcess = errors.New("no such process in the log")

// Load reads the state of a log at a moment. Of several processes only those with one of pids are in it,
// all without pids. A cut log gives the state of what there is of it. For the peak the log is read twice.
func Load(open Open, at Moment, pids []int) (*State, error) {
	return load(open, at, pids, nil, classify.Known())
}

// LoadFollowed is Load, and gives follow every record up to the moment, in the order of the log. It keeps none of them.
func LoadFollowed(open Open, at Moment, pids []int, follow func(eventlog.Record)) (*State, error) {
	return fold(open, folder{at: at, pids: pids, known: classify.Known(), follow: follow})
}

// load is Load with a watcher, which may be nil, and with the given catalogue of kinds.
func load(open Open, at Moment, pids []int, w *watcher, known *classify.Catalogue) (*State, error) {
	return fold(open, folder{at: at, pids: pids, watch: w, known: known})
}

// fold is Load with a new folder.
func fold(open Open, l folder) (*State, error) {
	if l.at.Kind == AtPeak {
		peak := &peak{pids: l.pids, threads: newThreads(), bytes: map[int]int64{}, pidOf: map[int]int{}}
		if _, err := each(open, func(r eventlog.Record, line int) { peak.put(r, line) }); err != nil {
			return nil, err
		}
		l.line = peak.line
	}
	l.begin()
	cut, err := each(func() (*eventlog.Reader, error) {
		r, err := open()
		if err == nil {
			l.skim = r.SkimEvents
		}
		return r, err
	}, l.put)
	if err != nil {
		return nil, err
	}
	s := l.state
	s.Cut = cut
	l.finish()
	if err := l.beyond(); err != nil {
		return nil, err
	}
	if len(s.processes) == 0 && len(l.pids) > 0 {
		return nil, ErrNoProcess
	}
	return s, nil
}

// each reads a log and reports whether it is cut.
func each(open Open, put func(r eventlog.Record, line int)) (cut bool, err error) {
	r, err := open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		switch {
		case err == io.EOF:
			return false, nil
		case errors.Is(err, eventlog.ErrCut):
			return true, nil
		case err != nil:
			return false, err
		}
		put(rec, r.Line())
	}
}

// wanted reports whether pid is in pids, which stands for all processes if it is empty.
func wanted(pids []int, pid int) bool { return len(pids) == 0 || slices.Contains(pids, pid) }

// functions yields the functions of a stack as classify wants them.
func (n *Names) functions(stack int, yield func(callers.Call) bool) {
	n.callsOf(stack)(yield)
}

// addresses yields the return addresses of a stack as classify wants them.
func (n *Names) addresses(stack int, yield func(addr uint64) bool) {
	for _, id := range n.calls.frames(n.stacks[stack].node) {
		if !yield(n.frames[id].addr) {
			return
		}
	}
}
