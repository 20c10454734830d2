package html

import (
	"errors"
	"slices"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/vm"
)

// Options bound the size of a Value.
type Options struct {
	PIDs     []int  // only processes with one of these pids, all without
	Moments  int    // how many, at most
	Mappings int    // about the largest sum of mappings over all moments: it bounds the work
	Ranges   int    // how many different ones, at most: the size of the value
	From, To uint64 // seq of the first and of the last event that may be a moment; 0 for no bound
}

// Embedded returns the bounds for a page that is a single file.
func Embedded() Options { return Options{Moments: 1000, Mappings: 2_000_000, Ranges: 200_000} }

// ErrEmpty means that a log contains nothing to draw.
var ErrEmpty = errors.New("no address space is in the log")

// Read returns the Value of a log and the State at its end. It reads the log three times.
func Read(open analysis.Open, log string, o Options) (*Value, *analysis.State, error) {
	survey, err := analysis.Take(open, o.PIDs, o.Moments, o.Mappings, o.From, o.To)
	if err != nil {
		return nil, nil, err
	}
	b := newBuilder(log)
	var end *analysis.State
	err = analysis.LoadEach(open, survey.Moments, o.PIDs, func(_ int, s *analysis.State) error {
		b.put(s) // the first one is the start
		end = s
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if len(end.Report(analysis.ReportOptions{}).Processes) == 0 && len(o.PIDs) > 0 {
		return nil, nil, analysis.ErrNoProcess
	}
	if len(b.v.Processes) == 0 {
		return nil, nil, ErrEmpty
	}
	start := b.v.Moments[0]
	if b.v.Growth, err = end.GrowthSince(open, survey.Moments[0], start.T, start.Seq); err != nil {
		return nil, nil, err
	}
	b.v.Events, b.v.Every = survey.Events, survey.Every
	b.thin(o.Ranges)
	b.advise(end, survey.Advised)
	return b.finish(end), end, nil
}

// A builder makes a Value from the states of several moments, in their order.
type builder struct {
	v         *Value
	strings   index[string]
	headings  index[string]
	whats     index[what]
	makers    index[maker]
	frames    index[frame]
	processes map[int]int // by space
	threads   map[threadKey]threadPlace
	live      [][]open       // by process: its ranges at the last moment, ascending
	chains    map[string]int // by the numbers of its calls
}

type threadKey struct {
	space, tid int
	start      int64
}

type threadPlace struct{ process, at int }

// open is a range that existed at the previous moment, and so may go on.
type open struct {
	analysis.Held
	at int // in the list of ranges
}

// what and maker are what makes one of them another one.
type what struct {
	perms, path, label, name, evidence string
	kind, confidence, heading          string
	owner                              int
}

type maker struct {
	process, pid, tid, stack int
	event, t                 int64 // event is -1 for none
	cause, call, thread      string
}

type frame struct {
	function, module, file string
	offset                 uint64
	line                   int
	inlined                bool
}

// An index numbers values in the order of their first use.
type index[T comparable] map[T]int

// of is the number of x, and whether it is a new one.
func (i index[T]) of(x T) (n int, fresh bool) {
	n, known := i[x]
	if !known {
		n = len(i)
		i[x] = n
	}
	return n, !known
}

func newBuilder(log string) *builder {
	b := &builder{v: &Value{Log: log, Command: []string{}, Environment: map[string]*string{}, Advised: []AdvicePoint{}, Moments: []Moment{}, Processes: []Process{}, Strings: []string{}, Headings: []Heading{}, Chains: []Chain{}, Stacks: map[int]Stack{}},
		strings: index[string]{}, headings: index[string]{}, whats: index[what]{}, makers: index[maker]{}, frames: index[frame]{},
		processes: map[int]int{}, threads: map[threadKey]threadPlace{}, chains: map[string]int{}}
	b.text("")
	return b
}

// text is the number of a string.
func (b *builder) text(s string) int {
	n, fresh := b.strings.of(s)
	if fresh {
		b.v.Strings = append(b.v.Strings, s)
	}
	return n
}

// put adds the state of the next moment.
func (b *builder) put(s *analysis.State) {
	v, at := b.v, len(b.v.Moments)
	v.Moments = append(v.Moments, Moment{s.Moment.String(), s.T, s.Seq})
	seen := make([]bool, len(v.Processes))
	s.Held(func(p *analysis.ReportProcess, held []analysis.Held) bool {
		i, known := b.processes[p.Space]
		if !known {
			i = len(v.Processes)
			b.processes[p.Space] = i
			v.Processes = append(v.Processes, Process{Space: p.Space, PID: p.PID, Threads: []Thread{}})
			b.live = append(b.live, nil)
			seen = append(seen, false)
		}
		seen[i] = true
		x := &v.Processes[i]
		x.Name, x.Exe, x.Ended, x.Until = p.Name, p.Exe, p.Ended, p.Until
		x.Moments = append(x.Moments, at)
		x.Count, x.Mappings, x.VMAs = append(x.Count, p.Total.Count), append(x.Mappings, p.Total.Mappings), append(x.VMAs, p.VMAs)
		x.Peak, x.ResidentAt = append(x.Peak, p.Peak), append(x.ResidentAt, p.ResidentAt)
		if h := s.Header(); h != nil && h.Advice != "" {
			gave, brought := analysis.SumAdvised(p.Advised)
			x.GaveBack, x.Brought, x.Advised = append(x.GaveBack, gave), append(x.Brought, brought), p.Advised
		}
		for _, t := range s.Threads(p.Space) {
			key := threadKey{p.Space, t.TID, t.Start}
			if place, known := b.threads[key]; known {
				v.Processes[place.process].Threads[place.at] = threadOf(&t)
				continue
			}
			b.threads[key] = threadPlace{i, len(x.Threads)}
			x.Threads = append(x.Threads, threadOf(&t))
		}
		b.ranges(s, i, at, held)
		return true
	})
	for i, was := range seen {
		if !was {
			b.close(i, at)
		}
	}
}

// advise adds what calls of madvise(2) did in the processes shown; s is the state at the end.
func (b *builder) advise(s *analysis.State, list []analysis.AdvicePoint) {
	for _, x := range list {
		if i, known := b.processes[x.Space]; known {
			s.NameAdvice(&x, b.v.Processes[i].Exe)
			b.v.Advised = append(b.v.Advised, AdvicePoint{i, x.Advised})
		}
	}
}

// close ends all ranges of a process that does not exist at moment at.
func (b *builder) close(process, at int) {
	for _, x := range b.live[process] {
		b.v.Ranges.To[x.at] = at
	}
	b.live[process] = nil
}

// ranges adds the mappings of a process at a moment.
func (b *builder) ranges(s *analysis.State, process, at int, held []analysis.Held) {
	before := b.live[process]
	now := make([]open, 0, len(held))
	for i := range held {
		h := &held[i]
		for len(before) > 0 && before[0].Start < h.Start {
			b.v.Ranges.To[before[0].at] = at
			before = before[1:]
		}
		if len(before) > 0 && before[0].Start == h.Start {
			was := before[0]
			before = before[1:]
			if same(&was.Held, h) {
				if !sameFigures(&was.Figures, &h.Figures) {
					b.figures(was.at, at, &h.Figures)
				}
				was.Held = *h
				now = append(now, was)
				continue
			}
			b.v.Ranges.To[was.at] = at
		}
		now = append(now, b.open(s, process, at, h))
	}
	for _, x := range before {
		b.v.Ranges.To[x.at] = at
	}
	b.live[process] = now
}

// same reports whether two ranges differ in nothing but their figures.
func same(a, b *analysis.Held) bool {
	return a.End == b.End && a.Perms == b.Perms && a.Path == b.Path && a.Offset == b.Offset && a.Label == b.Label && a.Kind == b.Kind && a.Name == b.Name && a.Owner == b.Owner && a.Confidence == b.Confidence &&
		a.Evidence == b.Evidence && a.Heading.Word == b.Heading.Word && a.Cause == b.Cause && equal(a.Origin, b.Origin) && a.Stack == b.Stack && a.Thread == b.Thread && slices.Equal(a.Calls, b.Calls)
}

// sameFigures reports whether a and b have the same figures of memory; what is not shown of them is not compared.
func sameFigures(a, b *analysis.Totals) bool {
	return a.Uncounted == b.Uncounted && equal(a.Resident, b.Resident) && equal(a.Shared, b.Shared) && equal(a.Dirty, b.Dirty) && equal(a.Swapped, b.Swapped)
}

// equal reports whether a and b are both nil, or point to equal values.
func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func (b *builder) open(s *analysis.State, process, at int, h *analysis.Held) open {
	r := &b.v.Ranges
	x := open{Held: *h, at: len(r.From)}
	r.Process = append(r.Process, process)
	r.Start = append(r.Start, uint64(h.Start)/vm.PageSize)
	r.Pages = append(r.Pages, uint64(h.End-h.Start)/vm.PageSize)
	r.Offset = append(r.Offset, h.Offset)
	r.What = append(r.What, b.what(h))
	r.Maker = append(r.Maker, b.maker(s, process, h))
	r.From, r.To = append(r.From, at), append(r.To, -1)
	b.figures(x.at, at, &h.Figures)
	return x
}

// figures are those of a range from a moment on.
func (b *builder) figures(at, moment int, n *analysis.Totals) {
	f := &b.v.Figures
	f.Range, f.Moment = append(f.Range, at), append(f.Moment, moment)
	f.Resident, f.Uncounted, f.PSS = append(f.Resident, n.Resident), append(f.Uncounted, n.Uncounted), append(f.PSS, n.Shared)
	f.Private, f.Swapped = append(f.Private, n.Dirty), append(f.Swapped, n.Swapped)
}
