package analysis

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/vmblame/vmblame/internal/callers"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/strace"
	"github.com/vmblame/vmblame/internal/vm"
)

// Failed lists the mapping calls that failed, and the limits they ran into.
type Failed struct {
	Type Type `json:"type"` // "failed"
	At
	Times    int          `json:"times"`    // how many calls failed
	Calls    []FailedCall `json:"calls"`    // those that were refused memory first, then the most frequent
	Nameless []Unnamed    `json:"nameless"` // files of whose code it shows addresses
}

// A FailedCall stands for all calls of a process that failed in the same way at the same place.
type FailedCall struct {
	PID     int    `json:"pid"`             // the process
	Name    string `json:"name"`            // what a person calls it, as in a report
	Exe     string `json:"exe"`             // path of its executable
	Call    string `json:"call"`            // the system call
	Error   string `json:"error"`           // errno's name
	Refused bool   `json:"refused"`         // for want of memory or of addresses
	Asked   int64  `json:"asked,omitempty"` // bytes that the first of them would have added; absent for a call that adds none, or where that is not known
	Mapped  int64  `json:"mapped"`          // bytes that were mapped then
	Times   int    `json:"times"`           // how many
	T       int64  `json:"t"`               // when the first of them failed
	Last    int64  `json:"last"`            // when the last of them did
	Event   uint64 `json:"event"`           // seq of the first
	TID     int    `json:"tid"`             // the thread of the first
	Thread  string `json:"thread"`          // its name then
	Made    string `json:"made"`            // the first call with its arguments, as strace writes it
	Limit   *Limit `json:"limit"`           // what the first of them ran against; null where that is not known
	Stack   int    `json:"stack,omitempty"` // the log's number of the stack
	Who
}

// A Limit is what a call ran into, derived from the recorded limits and from what was mapped.
type Limit struct {
	Name       string              `json:"name"`            // as the log's header has it: rlimit_as, rlimit_data, rlimit_memlock, max_map_count, nr_hugepages, overcommit_memory; or "addresses", of which there are 47 bits, or "not mapped", of a range with a hole
	Value      *int64              `json:"value,omitempty"` // bytes, of max_map_count mappings
	Used       *int64              `json:"used,omitempty"`  // how much of it was in use
	Confidence classify.Confidence `json:"confidence"`      // certain where the figures say so, likely where nothing else is left
}

// failure is a FailedCall under construction.
type failure struct {
	space *eventlog.SpaceState
	FailedCall
}

// failures collects the failed calls of a log.
type failures struct {
	by    map[failureKey]*failure
	alike map[failurePlace]*alike
	list  []*failure
}

type failurePlace struct {
	space, stack int
	call, error  string
}

// A failureKey tells apart what one place ran against: it may meet one limit now and another one later.
type failureKey struct {
	failurePlace
	limit string // Limit.word
	asked int64  // only where that decides whether it was the limit (limitOf), else 0
}

// alike is how many calls of one place failed in the same way, one after the other.
type alike struct {
	last  *failure
	times int
}

// mostWorkedOut is how many calls of one place have their limit worked out, which takes up to some milliseconds where
// many mappings stand. Those that come later, of a program that tries for ever, are counted with the last of these.
const mostWorkedOut = 200

// put takes an event that failed, before it is replayed. An execve that finds no file is no mapping call.
func (f *failures) put(r *eventlog.Event, sp *eventlog.SpaceState, s *State) {
	if strings.HasPrefix(r.Call, "execve") {
		return
	}
	if r.Limits != nil {
		if s.limits == nil {
			s.limits = map[int]map[string]string{}
		}
		s.limits[r.Space] = r.Limits
	}
	place := failurePlace{r.Space, 0, r.Call, r.Error}
	if r.Stack != nil {
		place.stack = *r.Stack
	}
	if f.by == nil {
		f.by, f.alike = map[failureKey]*failure{}, map[failurePlace]*alike{}
	}
	like := f.alike[place]
	if like == nil {
		like = &alike{}
		f.alike[place] = like
	}
	if like.times++; like.times > mostWorkedOut {
		like.last.Times++
		like.last.Last = r.T
		return
	}
	asked, limit := s.against(r, sp)
	key := failureKey{failurePlace: place, limit: limit.word()}
	if limit != nil && guessedOvercommit(limit) {
		key.asked = asked
	}
	x := f.by[key]
	if x == nil {
		x = &failure{sp, FailedCall{PID: sp.PID, Exe: sp.Exe, Call: r.Call, Error: r.Error, Asked: asked, Mapped: int64(sp.Ledger.Bytes()), T: r.T, Event: r.Seq, TID: r.TID,
			Made: string(strace.AppendCall(nil, r)), Limit: limit, Stack: place.stack}}
		x.Refused = (r.Error == "ENOMEM" || r.Error == "EAGAIN") && (limit == nil || limit.Name != "not mapped")
		f.by[key] = x
		f.list = append(f.list, x)
	}
	x.Times++
	x.Last = r.T
	like.last = x
}

// guessedOvercommit reports whether a limit is that of a kernel which guesses how much it can promise.
func guessedOvercommit(l *Limit) bool { return l.Name == "overcommit_memory" && *l.Value == 0 }

// against returns how many bytes a failed call would have added to sp, and the limit that it ran into, nil if
// unknown.
func (s *State) against(r *eventlog.Event, sp *eventlog.SpaceState) (asked int64, limit *Limit) {
	l := sp.Ledger
	rlimit := func(name string) string {
		if v, changed := r.Limits[name]; changed {
			return v
		}
		if v, _ := s.recordedOf(sp.Environment, name); v != nil {
			return *v
		}
		return ""
	}
	const (
		addresses       = 1 << 47
		mapPrivate      = 2
		mapFixed        = 0x10
		mapLocked       = 0x2000
		mapNoReserve    = 0x4000
		mapHugeTLB      = 0x40000
		protWrite       = 2
		remapDontUnmap  = 4
		mostThatIsClose = 100 // our count of rows may be up to this much below the kernel's, which does not always merge rows that look alike
	)
	arg := func(name string) uint64 {
		for i := range r.Args {
			if r.Args[i].Name == name {
				return uint64(r.Args[i].Value)
			}
		}
		return 0
	}
	private, locked, huge := true, false, false
	at := vm.Range{}
	switch r.Call {
	case "mmap", "mmap2":
		n, flags := arg("length"), arg("flags")
		asked = int64(min(n+vm.PageSize-1, 1<<63-1) &^ (vm.PageSize - 1))
		private = flags&mapPrivate != 0 && arg("prot")&protWrite != 0
		locked, huge = flags&mapLocked != 0, flags&mapHugeTLB != 0
		if flags&mapFixed != 0 && n < addresses {
			l.Overlapping(vm.Range{Start: arg("addr"), End: arg("addr") + n}, func(e ledger.Entry) bool {
				asked -= int64(e.Len())
				return true
			})
		}
		if flags&mapNoReserve != 0 {
			defer func() {
				if limit != nil && limit.Name == "overcommit_memory" {
					limit = nil
				}
			}()
		}
	case "mremap":
		if asked = int64(arg("new_size")) - int64(arg("old_size")); arg("flags")&remapDontUnmap != 0 {
			asked = int64(arg("new_size"))
		}
		e, _ := l.At(arg("old_address"))
		private = e.Perms&vm.Write != 0 && e.Perms&vm.Shared == 0
	case "brk":
		for e := range l.All {
			if e.File.Path == "[heap]" && arg("addr") > e.Start {
				asked = int64(arg("addr") - e.End)
			}
		}
	case "mprotect", "pkey_mprotect", "madvise":
		n := arg("len") + arg("length")
		if at = (vm.Range{Start: arg("addr"), End: arg("addr") + n}); at.End < at.Start {
			at = vm.Range{}
		}
		private = arg("prot")&protWrite != 0
	}
	if r.Error != "ENOMEM" && r.Error != "EAGAIN" {
		return max(asked, 0), nil
	}
	over := func(name string, used, more int64) bool {
		v, err := strconv.ParseInt(rlimit(name), 10, 64)
		if err != nil || used+more <= v && used <= v {
			return false
		}
		limit = &Limit{name, &v, &used, classify.Certain}
		return true
	}
	if !at.Empty() && !l.Covered(at) {
		return 0, &Limit{Name: "not mapped", Confidence: classify.Certain}
	}
	mapped := int64(l.Bytes())
	switch {
	case asked > addresses-mapped:
		return asked, &Limit{"addresses", ptr(int64(addresses)), &mapped, classify.Certain}
	case asked > 0 && over("rlimit_as", mapped, asked):
		return asked, limit
	case private && rlimit("rlimit_data") != "unlimited" && over("rlimit_data", data(l), asked):
		return asked, limit
	case locked && r.Error == "EAGAIN":
		if v, err := strconv.ParseInt(rlimit("rlimit_memlock"), 10, 64); err == nil && asked > v {
			return asked, &Limit{"rlimit_memlock", &v, nil, classify.Certain}
		}
		return asked, nil
	case huge:
		return asked, &Limit{"nr_hugepages", nil, nil, classify.Likely}
	}
	if most := s.maxMaps(); most > 0 && int64(l.Len()) > most-mostThatIsClose {
		list := make([]mapping, 0, l.Len())
		for e := range l.All {
			list = append(list, mapping{Entry: e})
		}
		if rows := int64(len(kernelRows(list))); rows > most-mostThatIsClose {
			return max(asked, 0), &Limit{"max_map_count", &most, &rows, classify.Certain}
		}
	}
	if v := s.environment("overcommit_memory"); private && asked > 0 && (v == "0" || v == "2") {
		limit = &Limit{"overcommit_memory", ptr(int64(v[0] - '0')), nil, classify.Likely}
	}
	return max(asked, 0), limit
}

// limitOf returns the limit that x ran into, nil if unknown. With heuristic overcommit (vm.overcommit_memory 0) the
// kernel refuses only calls for more than all memory of the machine. A smaller one failed for a reason that is not in
// the log, such as a limit that the program has set itself.
func (s *State) limitOf(x *failure) *Limit {
	if l := x.Limit; l != nil && guessedOvercommit(l) && x.Asked <= s.memory {
		return nil
	}
	return x.Limit
}

// word is what tells l from other limits, "" for nil.
func (l *Limit) word() string {
	switch {
	case l == nil:
		return ""
	case l.Value == nil:
		return l.Name
	}
	return l.Name + " " + strconv.FormatInt(*l.Value, 10)
}

// data returns what RLIMIT_DATA counts: private writable memory other than stacks.
func data(l *ledger.Ledger) (n int64) {
	for e := range l.All {
		if e.Perms&vm.Write != 0 && e.Perms&vm.Shared == 0 && e.File.Path != "[stack]" {
			n += int64(e.Len())
		}
	}
	return n
}

// Failed says which calls failed up to the moment of s.
func (s *State) Failed() *Failed {
	f := &Failed{Type: "failed", At: s.at(), Calls: s.failedCalls()}
	unnamed := nameless{}
	for i := range f.Calls {
		f.Times += f.Calls[i].Times
		unnamed.count(s, f.Calls[i].Calls)
	}
	f.Nameless = unnamed.list()
	return f
}

func (s *State) failedCalls() []FailedCall {
	type place struct {
		pid              int
		call, error, who string
		limit            string // Limit.word
	}
	by := map[place]int{}
	list := []FailedCall{}
	for _, x := range s.failures.list {
		c := x.FailedCall
		if !s.choosesCall(c.Event, c.T, c.TID, c.Stack) || s.only != nil && (s.only.Kind != nil || s.only.File != nil) {
			continue
		}
		c.Limit = s.limitOf(x)
		c.Name, c.Thread = s.nameOf(x.space, c.T), s.threads.name(c.TID, c.T)
		c.Who = s.made(ledger.FromEvent, c.Call, c.Stack, c.Exe)
		k := place{c.PID, c.Call, c.Error, callers.Chain(c.Who).Whole(), c.Limit.word()}
		if i, known := by[k]; known {
			list[i].Times += c.Times
			list[i].Last = max(list[i].Last, c.Last)
			continue
		}
		by[k] = len(list)
		list = append(list, c)
	}
	slices.SortStableFunc(list, func(a, b FailedCall) int {
		if a.Refused != b.Refused {
			if a.Refused {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.Times, a.Times), cmp.Compare(a.Event, b.Event))
	})
	return list
}

// refused are the calls that were refused memory.
func (s *State) refused() []FailedCall {
	list := s.failedCalls()
	return slices.DeleteFunc(list, func(c FailedCall) bool { return !c.Refused })
}
