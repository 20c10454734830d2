package html

import (
	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/classify"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// A Page is what one page shows: a log, or two and what differs between them.
type Page struct {
	Type   string         `json:"type"`             // "pictures"
	Logs   []*Value       `json:"logs"`             // one or two
	Diff   *analysis.Diff `json:"diff"`             // of the ends of the two, null for one
	Served bool           `json:"served,omitempty"` // the page may ask its server for more
}

// A Value is the data of a log's charts: what was mapped at some moments, with everything stored once. Strings, kinds,
// makers and so on are referred to by their indexes, from 0, in the lists that contain them.
type Value struct {
	Log         string             `json:"log"`         // what the log is called
	Mode        string             `json:"mode"`        // of the recording: run, attach or map; "" where the log is cut before it says
	Command     []string           `json:"command"`     // what was run
	Started     string             `json:"started"`     // when the recording began, RFC 3339
	Host        eventlog.Host      `json:"host"`        // where
	Environment map[string]*string `json:"environment"` // as the header has it; null for what was unset
	Cut         bool               `json:"cut"`         // the log ends without its end line
	Events      int                `json:"events"`      // mapping calls in the log
	Made        int                `json:"made"`        // how many of them mapped something, in the processes that are shown
	Shown       int                `json:"shown"`       // of how many of those something is in ranges: of the others it came and went between two moments
	Every       bool               `json:"every"`       // every event that changed something is a moment
	Advice      string             `json:"advice"`      // whether calls of madvise were recorded (--advice): "counted" with what they moved, "uncounted"; "" for no
	Advised     []AdvicePoint      `json:"advised"`     // what they did, by process and time; of those that followed each other most closely one stands for several
	Moments     []Moment           `json:"moments"`     // in the order of the log; the last is its end
	Processes   []Process          `json:"processes"`   // address spaces, in the order in which they are met
	Strings     []string           `json:"strings"`     // each once
	Headings    []Heading          `json:"headings"`    // what kinds are listed under
	Whats       Whats              `json:"whats"`       // what mappings are
	Makers      Makers             `json:"makers"`      // who made them
	Chains      []Chain            `json:"chains"`      // of calls
	Ranges      Ranges             `json:"ranges"`      // the mappings
	Figures     Figures            `json:"figures"`     // what of them was in memory
	Frames      Frames             `json:"frames"`      // of stacks
	Stacks      map[int]Stack      `json:"stacks"`      // by the log's number: those of makers and of failed calls
	Failed      *analysis.Failed   `json:"failed"`      // calls that failed, up to the end
	Growth      *analysis.Growth   `json:"growth"`      // what came, went and stayed from the start to the end
}

// A Moment is a moment at which the log is shown.
type Moment struct {
	Moment string `json:"moment"` // as LOG@MOMENT has it
	T      int64  `json:"t"`      // when that is, nanoseconds since the recording began
	Seq    uint64 `json:"seq"`    // the last event before it, 0 for none
}

// A Process is an address space. Its lists have one item for each moment at which it is shown.
type Process struct {
	Space      int                `json:"space"`               // the log's number of it
	PID        int                `json:"pid"`                 // the process that began it
	Name       string             `json:"name"`                // what a person calls it
	Exe        string             `json:"exe"`                 // path of its executable
	Ended      bool               `json:"ended"`               // it was over before the log was: the last moment shows it as it ended
	Until      int64              `json:"until"`               // t of its last moment
	Moments    []int              `json:"moments"`             // places in the list of moments, ascending
	Count      []int              `json:"count"`               // things: stacks, arenas, files
	Mappings   []int              `json:"mappings"`            // entries of the ledger
	VMAs       []int              `json:"vmas"`                // rows of /proc/PID/maps
	Peak       []int64            `json:"peak"`                // the most that was mapped up to then
	Unseen     []int              `json:"unseen"`              // calls since its moment before (at the first, since it began) of which nothing is in ranges
	ResidentAt []*int64           `json:"resident_at"`         // t of the snapshot that the figures are from, null for none
	GaveBack   []*int64           `json:"gave_back,omitempty"` // bytes that calls of madvise gave back up to then, null where nobody counted; absent where they were not recorded
	Brought    []*int64           `json:"brought,omitempty"`   // bytes that they brought in
	Advised    []analysis.Advised `json:"advised,omitempty"`   // what they did up to the last of its moments
	Threads    []Thread           `json:"threads"`             // in the order of their start
}

// An AdvicePoint is what calls of madvise(2) did between two times.
type AdvicePoint struct {
	Process int              `json:"process"` // place in the list of processes
	Advised analysis.Advised `json:"advised"` // what they did: docs/answers.md; the advice and who gave it are those of the call that moved most
}

// A Thread is a thread of an address space, whether or not it has ended.
type Thread struct {
	TID   int    `json:"tid"`   // its number
	PID   int    `json:"pid"`   // the process that it is of
	Name  string `json:"name"`  // the last that it had
	Start int64  `json:"start"` // t
	End   *int64 `json:"end"`   // t, null where it lived to the end
}

// A Heading is a heading under which a report lists kinds.
type Heading struct {
	Word string `json:"word"` // the stable word: docs/kinds.md
	One  string `json:"one"`  // in words
	Many string `json:"many"` // in words, of several
}

// A Chain is the chain of calls that made something.
type Chain struct {
	Calls []int `json:"calls"` // numbers of strings, innermost call first
	Keep  int   `json:"keep"`  // so many of the first are those up to the first of the program's own
}

// Whats says what mappings are. It has a list for each column of analysis.Range: indexes of strings, except for the
// owner, a tid or 0, and the heading.
type Whats struct {
	Perms      []int `json:"perms"`      // the second column of /proc/PID/maps
	Path       []int `json:"path"`       // of its file, or the name that the kernel gives it
	Label      []int `json:"label"`      // what it is, in words
	Kind       []int `json:"kind"`       // the stable word: docs/kinds.md
	Name       []int `json:"name"`       // the kind in words, or a closer one
	Confidence []int `json:"confidence"` // how sure the kind is: certain, likely or guess
	Evidence   []int `json:"evidence"`   // what the kind rests on
	Owner      []int `json:"owner"`      // tid of the thread that it belongs to, 0 for none
	Heading    []int `json:"heading"`    // place in the list of headings
}

// Makers says who made mappings. It has a list for each column of analysis.Range. If no event made the mapping, origin
// is null, cause says what did, and time, tid and stack are 0. Call, cause and thread are indexes of strings, chain is
// one of a chain.
type Makers struct {
	Origin []*uint64 `json:"origin"` // seq of the event, null for none
	Cause  []int     `json:"cause"`  // where no event did: what did
	Call   []int     `json:"call"`   // the system call
	T      []int64   `json:"t"`      // when
	PID    []int     `json:"pid"`    // the process that did it
	TID    []int     `json:"tid"`    // the thread that did it
	Thread []int     `json:"thread"` // its name then
	Stack  []int     `json:"stack"`  // the log's number of the stack
	Chain  []int     `json:"chain"`  // place in the list of chains
}

// Ranges are the mappings; each list has one item for each. A mapping that another call has changed is a new range.
type Ranges struct {
	Process []int    `json:"process"` // place in the list of processes
	Start   []uint64 `json:"start"`   // its first address, in pages of 4096 bytes
	Pages   []uint64 `json:"pages"`   // its length in pages
	Offset  []uint64 `json:"offset"`  // bytes into its file
	What    []int    `json:"what"`    // place in the lists of whats
	Maker   []int    `json:"maker"`   // place in the lists of makers
	From    []int    `json:"from"`    // the first moment at which it is there
	To      []int    `json:"to"`      // the first moment at which it is no more
}

// Figures says how much of the ranges was in memory, in bytes. Each list has one item for each range, and a further one
// for each moment from which its figures differ. The items are ordered by range, and those of one range by moment. Null
// means that it was not counted.
type Figures struct {
	Range     []int    `json:"range"`         // place in the lists of ranges
	Moment    []int    `json:"moment"`        // the first moment at which these hold
	Resident  []*int64 `json:"resident"`      // bytes in memory
	Uncounted []int64  `json:"uncounted"`     // bytes that no snapshot counted
	PSS       []*int64 `json:"pss"`           // the same, what is shared divided among those who share it
	Private   []*int64 `json:"private_dirty"` // bytes in memory that are this process's alone and were written to
	Swapped   []*int64 `json:"swapped"`       // bytes in swap space
}

// Frames are the frames of all stacks, each once. Function, module and file are indexes of strings; a function "" has
// no name.
type Frames struct {
	Function []int    `json:"function"` // its name, "" for none
	Module   []int    `json:"module"`   // path of the file
	Offset   []uint64 `json:"offset"`   // in the module
	File     []int    `json:"file"`     // of the source
	Line     []int    `json:"line"`     // in the source
	Inlined  []int    `json:"inlined"`  // 1 where the function was inlined into the next one
}

// A Stack is a call stack: indexes of frames, innermost first, and why the walk ended early.
type Stack struct {
	Frames []int  `json:"frames"`        // numbers of frames, innermost first
	End    string `json:"end,omitempty"` // why the walk ended early
}

// threadOf converts a thread.
func threadOf(t *classify.Thread) Thread {
	x := Thread{TID: t.TID, PID: t.PID, Name: t.Name, Start: t.Start}
	if t.End != 0 {
		x.End = &t.End
	}
	return x
}
