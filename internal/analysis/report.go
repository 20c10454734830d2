package analysis

import (
	"slices"
	"strconv"

	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/ledger"
	"github.com/vmblame/vmblame/internal/text"
)

// ReportOptions says what a report lists, and how its sentences write sizes.
type ReportOptions struct {
	By      By       // "" for ByKind
	Sort    Sort     // "" for SortReserved
	MinSize int64    // bytes: rows with less reserved are summed up in one
	Columns []Column // that text shows too
	Bytes   bool     // sizes in sentences are exact numbers of bytes
}

// size writes a number of bytes in a sentence.
func (o *ReportOptions) size(n int64) string {
	if o.Bytes {
		return strconv.FormatInt(n, 10)
	}
	return text.Size(n)
}

// A Column is an additional column of figures that text shows if asked.
type Column string

// The columns that may be asked for.
const (
	PSS         Column = "pss"     // resident bytes, what is shared divided among those who share it
	Private     Column = "private" // resident bytes that are this process's alone and were written to
	Swap        Column = "swap"    // bytes in swap space
	SharedPages Column = "shared"  // resident bytes that are mapped more than once
	HugePages   Column = "huge"    // resident bytes in huge pages
	LockedPages Column = "locked"  // resident bytes that are locked in memory
)

// Of is the figure of a column, nil where it was not counted.
func (c Column) Of(t *Totals) *int64 {
	switch c {
	case PSS:
		return t.Shared
	case Private:
		return t.Dirty
	case Swap:
		return t.Swapped
	case SharedPages:
		return t.Common
	case HugePages:
		return t.Huge
	case LockedPages:
		return t.Locked
	}
	return nil
}

// Columns lists those that may be asked for.
func Columns() []Column { return []Column{PSS, Private, SharedPages, Swap, HugePages, LockedPages} }

// By says how the rows of a report are grouped.
type By string

// The values of By.
const (
	ByKind     By = "kind"
	ByStack    By = "stack"
	ByFile     By = "file"
	ByThread   By = "thread"
	ByFunction By = "function"
)

// A Report is who holds the address spaces of a log at a moment.
type Report struct {
	Type Type `json:"type"` // "report"
	At
	Mode      string          `json:"mode"`               // of the recording: run, attach or map; "" where the log is cut before it says
	Source    string          `json:"source,omitempty"`   // of a map that was made from a file: its name, "-" for standard input
	By        By              `json:"by"`                 // what the rows are about: kind, stack, file, thread or function
	Sort      Sort            `json:"sort"`               // the order of the rows
	MinSize   int64           `json:"min_size"`           // rows with less reserved are summed up in one
	Columns   []Column        `json:"columns,omitempty"`  // that text shows too: pss, private, shared, swap, huge, locked
	Together  *Together       `json:"together,omitempty"` // of several processes that live at the moment
	Peak      int64           `json:"peak"`               // the most that was mapped at a time up to the moment, all processes of the report together
	MaxMaps   *string         `json:"max_map_count"`      // vm.max_map_count, null where it was not recorded
	Processes []ReportProcess `json:"processes"`          // the first one first, then the largest
	Refused   []FailedCall    `json:"refused,omitempty"`  // the calls up to the moment that were refused memory or addresses
	Nameless  []Unnamed       `json:"nameless"`           // files of whose code the rows show addresses
}

// Together sums up the processes that live at the same moment.
type Together struct {
	Processes int    `json:"processes"` // how many
	Reserved  int64  `json:"reserved"`  // bytes of address space, all of theirs
	Resident  *int64 `json:"resident"`  // bytes in memory, with shared pages divided among those who share them (pss); null if not counted for all of them
}

// together sums up the processes that live at the moment, nil where there are not several.
func together(list []ReportProcess) *Together {
	sum := Together{Resident: new(int64)}
	for i := range list {
		p := &list[i]
		switch {
		case p.Ended:
			continue
		case p.Total.Shared == nil || p.Total.Uncounted > 0:
			sum.Resident = nil
		case sum.Resident != nil:
			*sum.Resident += *p.Total.Shared
		}
		sum.Processes++
		sum.Reserved += p.Total.Reserved
	}
	if sum.Processes < 2 {
		return nil
	}
	return &sum
}

// A ReportProcess is one address space in a Report.
type ReportProcess struct {
	PID        int       `json:"pid"`                     // the process that began the address space
	Space      int       `json:"space"`                   // the log's number of the address space
	Name       string    `json:"name"`                    // what a person calls it: argv[0] without the folder, or the title in its place; the first thread's name, or exe's, where there is none
	Exe        string    `json:"exe"`                     // path of its executable, "" where that is not known
	Argv       []string  `json:"argv,omitempty"`          // its command line, as the log has it
	Ended      bool      `json:"ended"`                   // it was over before the log was
	Exit       *Exit     `json:"exit,omitempty"`          // how it ended; absent where it had not, or that was not seen
	Until      int64     `json:"until"`                   // t of its last moment, or of the report's
	Peak       int64     `json:"peak"`                    // the most that the process had mapped up to the moment, under programs that it executed before too
	PeakT      int64     `json:"peak_t"`                  // when that was first
	Explained  int64     `json:"explained"`               // bytes that a call or exec made
	Known      int64     `json:"known"`                   // bytes whose kind is known and not guessed
	ResidentAt *int64    `json:"resident_at,omitempty"`   // t of the snapshot that the resident bytes are from
	HighWater  *int64    `json:"resident_peak,omitempty"` // the most bytes that it had in memory, up to the nearest snapshot; absent if that was not recorded
	Total      Totals    `json:"total"`                   // all of it
	VMAs       int       `json:"vmas"`                    // rows of /proc/PID/maps, as the nearest snapshot counted them; where none did, neighbours that look alike are one
	Bounds     []Bound   `json:"bounds"`                  // the limits on its memory, and how close it is to them
	Kills      *int64    `json:"oom_kills,omitempty"`     // processes of its cgroup that were killed for want of memory during the recording; absent where that is not known
	Holders    []Row     `json:"holders"`                 // the rows
	Advised    []Advised `json:"advised,omitempty"`       // what calls of madvise did, up to the moment, to what is in memory: recorded with --advice
	Advice     []Advice  `json:"advice"`                  // the advice that would save most first
}

// A Row is a line of a Report: what it is, how much, who holds it, and the parts that it is made of.
type Row struct {
	Label  string        `json:"label"`            // what it is, in words
	Part   string        `json:"part,omitempty"`   // of a part: what it is, whosoever it is; a terminal shows parts that have the same as one, where their calls look alike
	Kind   classify.Kind `json:"kind,omitempty"`   // docs/kinds.md; of several the first
	Thread int           `json:"thread,omitempty"` // tid of the thread that it belongs to
	Who                  // by kind alone, and there of rows without parts
	Totals
	VMAs    int      `json:"vmas"`              // rows of the kernel's that begin in it
	Nested  []string `json:"calls,omitempty"`   // by stack: the calls of this line of the tree, the outermost first
	Made    []string `json:"made,omitempty"`    // by stack: the kinds of what they made themselves
	Smaller int      `json:"smaller,omitempty"` // number of rows below min_size that it sums up
	Ranges  []Range  `json:"ranges,omitempty"`  // the mappings: of a row without parts, by stack of every row those that the last of its calls made itself; of what sums up smaller ones none
	Parts   []Row    `json:"parts,omitempty"`   // the rows that it sums up, by stack with its own ranges; what they have adds up to what it has, but for count
}

// Exit is how a process ended: by itself, with a status, or by a signal.
type Exit struct {
	Code   *int   `json:"code,omitempty"`   // the exit status
	Signal *int   `json:"signal,omitempty"` // the number of the signal that killed it
	Name   string `json:"name,omitempty"`   // of the signal: "SIGSEGV"
}

// exitOf returns how a process ended, nil if that was not seen.
func (s *State) exitOf(p *process) *Exit {
	x := s.exits[p.ID]
	if x == nil && p.first && s.mode() == "run" && s.end != nil {
		x = s.end.Exit
	}
	if x == nil {
		return nil
	}
	return &Exit{x.Code, x.Signal, x.Name}
}

// Advice says what one kind of memory costs, and how to use less of it.
type Advice struct {
	Kind  classify.Kind `json:"kind"`  // of memory that it is about; "" for the number of mappings
	Bytes int64         `json:"bytes"` // that would be spared
	Text  string        `json:"text"`  // one sentence
}

// Report says who holds the address spaces of s.
func (s *State) Report(o ReportOptions) *Report {
	if o.By == "" {
		o.By = ByKind
	}
	if o.Sort == "" {
		o.Sort = SortReserved
	}
	r := &Report{Type: "report", At: s.at(), Mode: s.mode(), By: o.By, Sort: o.Sort, MinSize: o.MinSize, Columns: o.Columns, Peak: s.peak, MaxMaps: s.setting("max_map_count"), Processes: []ReportProcess{}}
	for _, p := range s.processes {
		r.Processes = append(r.Processes, s.reportProcess(p, o))
	}
	r.Together, r.Refused = together(r.Processes), s.refused()
	n := nameless{}
	for i := range r.Refused {
		n.count(s, r.Refused[i].Calls)
	}
	for i := range r.Processes {
		n.countRows(s, r.Processes[i].Holders)
		n.countAdvised(s, r.Processes[i].Advised)
	}
	r.Nameless = n.list()
	return r
}

// countAdvised counts those that advice shows.
func (n nameless) countAdvised(s *State, list []Advised) {
	for i := range list {
		n.count(s, list[i].Calls)
	}
}

// countRows counts the calls without a name that rows show.
func (n nameless) countRows(s *State, rows []Row) {
	for i := range rows {
		h := &rows[i]
		n.count(s, h.Calls)
		n.count(s, h.Nested)
		if len(h.Calls)+len(h.Nested) == 0 {
			n.count(s, []string{h.Label})
		}
		n.countRows(s, h.Parts)
	}
}

func (s *State) reportProcess(p *process, o ReportOptions) ReportProcess {
	vmas, rows := p.vmas()
	j := s.head(p, o, rows)
	for _, h := range s.holders(p, o.By) {
		j.Holders = append(j.Holders, s.rowOf(p, h, vmas))
	}
	SortRows(j.Holders, o.Sort)
	j.Holders = cutRows(j.Holders, o.MinSize)
	return j
}

// head is the report of p without its rows.
func (s *State) head(p *process, o ReportOptions, rows int) ReportProcess {
	n := p.total()
	n.objects = len(s.objects(p))
	j := ReportProcess{PID: p.PID, Space: p.ID, Name: s.nameOf(p.SpaceState, s.T), Exe: p.Exe, Ended: p.ended, Until: p.until, Peak: p.peak, PeakT: p.peakT, Argv: p.Argv, Explained: p.explained(), Known: p.known(), Total: p.totalsOf(&n),
		VMAs: rows, Holders: []Row{}, Advice: s.advice(p, o.size, rows), Bounds: []Bound{}}
	if s.only == nil {
		j.Bounds = s.bounds(p, p.figures, rows) // they are about all of it
	}
	j.Advised = s.advised.of(s, p)
	if p.ended {
		j.Exit = s.exitOf(p)
	}
	if p.figures != nil {
		if n, ok := p.figures.system["resident_peak"]; ok {
			j.HighWater = &n
		}
	}
	if s.end != nil && s.Moment.Kind == AtEnd {
		if n, ok := s.end.System["cgroup_oom_kills"]; ok {
			j.Kills = &n
		}
	}
	if p.taken >= 0 {
		j.ResidentAt = &p.taken
	}
	return j
}

func (s *State) rowOf(p *process, h *holder, vmas map[*mapping]int) Row {
	j := Row{Label: h.label, Part: h.part, Kind: h.kind, Thread: h.thread, Who: h.who, Totals: p.totalsOf(&h.totals), Nested: h.calls, Made: h.kinds}
	j.Ranges = slices.Grow(j.Ranges, len(h.mappings))
	for _, x := range h.mappings {
		j.Ranges = append(j.Ranges, s.rangeOf(p, x, x.Range))
		j.VMAs += vmas[x]
	}
	for _, q := range h.parts {
		part := s.rowOf(p, q, vmas)
		j.VMAs += part.VMAs
		j.Parts = append(j.Parts, part)
	}
	return j
}

// mode is how the log was made.
func (s *State) mode() string {
	if s.header == nil {
		return ""
	}
	return s.header.Mode
}

// known counts the bytes that are of a kind.
func (p *process) known() (n int64) {
	for i := range p.mappings {
		if x := &p.mappings[i]; x.Kind != classify.Unknown && x.Confidence != classify.Guess {
			n += int64(x.Len())
		}
	}
	return n
}

// total sums up the mappings of p.
func (p *process) total() totals {
	var n totals
	for i := range p.mappings {
		n.add(ptr(p.mappings[i].totals()))
	}
	return n
}

// explained returns how many bytes of p a traced call, or the kernel at exec, has mapped.
func (p *process) explained() int64 {
	var n int64
	for i := range p.mappings {
		if c := p.mappings[i].Origin.Cause; c == ledger.FromEvent || c == ledger.Kernel {
			n += int64(p.mappings[i].Len())
		}
	}
	return n
}

// maxMaps is vm.max_map_count, 0 where it was not recorded.
func (s *State) maxMaps() int64 {
	n, err := strconv.ParseInt(s.environment("max_map_count"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// setting is a value of the header's, nil where it is unset or not recorded.
func (s *State) setting(name string) *string {
	if s.header == nil {
		return nil
	}
	return s.header.Environment[name]
}

// environment is a value of the header's, "" where it is unset or not recorded.
func (s *State) environment(name string) string {
	if v := s.setting(name); v != nil {
		return *v
	}
	return ""
}
