package eventlog

import "encoding/json"

// Version is the version of the format this package writes, and the newest that it reads.
const Version = 1

// A Record is one line of the log: *Header, *Space, *Thread, *Module, *Stack, *Origin, *Event, *Advice, *Drift,
// *Symbol, *Snapshot, *Content, *Note or *End.
type Record interface {
	// Type is the value of the line's "type" field.
	Type() string
}

// A Sink takes records in the order of the log. The record, and everything it points to, belongs to the
// caller again when Put returns: a sink that keeps something copies it. Sinks are called from one
// goroutine at a time.
type Sink interface {
	Put(Record) error
}

// Hex is an address, written as a hexadecimal string ("0x7ffff7a49000").
type Hex uint64

// Header is the first line.
type Header struct {
	Format      string      `json:"format"` // "vmblame"
	Version     int         `json:"version"`
	Tool        string      `json:"tool"`
	Mode        string      `json:"mode"` // "run", "attach" or "map"
	Command     []string    `json:"command"`
	Started     string      `json:"started"` // RFC 3339
	Host        Host        `json:"host"`
	Environment Environment `json:"environment"`
	Backend     *Backend    `json:"backend,omitempty"` // nil in logs from before there were several backends
	Advice      string      `json:"advice,omitempty"`  // how Advice lines were recorded: "counted", "uncounted" (both figures nil); "" for not at all
	Segment     *Segment    `json:"segment,omitempty"` // nil unless the recording went on from another log
}

// Segment marks a log as a later segment of a recording with a bounded log (--log-limit), and says where it
// continues.
type Segment struct {
	Number  int    `json:"number"`  // 2, 3, 4 …
	Events  uint64 `json:"events"`  // seq of the last event before it
	Spaces  int    `json:"spaces"`  // the last space before it
	Modules int    `json:"modules"` // the last module before it
	Stacks  int    `json:"stacks"`  // the last stack before it
	T       int64  `json:"t"`       // when it began
}

// Backend is the mechanism by which threads were stopped.
type Backend struct {
	Name string `json:"name"`          // "sigtrap", "seccomp" or "syscall"
	Why  string `json:"why,omitempty"` // why no better backend was used
}

// Host describes the machine of a recording.
type Host struct {
	Kernel   string `json:"kernel"`
	Arch     string `json:"arch"`
	PageSize int    `json:"page_size"` // bytes
	CPUs     int    `json:"cpus"`
	Hostname string `json:"hostname"`
}

// Environment holds the recorded settings that change memory layout. Values are strings, null if unset; values of
// other kinds, which other programs may write, are read as their text.
type Environment map[string]*string

// Space is the beginning of one address space (an mm).
type Space struct {
	Space  int      `json:"space"` // 1, 2, 3 …
	T      int64    `json:"t"`     // nanoseconds of the monotonic clock since the recording began
	After  uint64   `json:"after"` // seq of the last event of the parent space before it, 0 if none
	PID    int      `json:"pid"`
	Cause  string   `json:"cause"` // "launch", "attach", "fork", "exec", "segment"
	Parent *int     `json:"parent"`
	Exe    string   `json:"exe"`
	Argv   []string `json:"argv"`
	Argc   int      `json:"argc,omitempty"` // set if Argv is cut: the number of all arguments
	// Environment is what the program began with; nil where that is what Parent's has, and unknown without one.
	Environment *SpaceEnvironment `json:"environment,omitempty"`
	// Blind goes with the cause "segment": the mappings could not be read when the space began.
	Blind    bool      `json:"blind,omitempty"`
	Mappings []Mapping `json:"mappings"`
}

// SpaceEnvironment are what a program began with that changes how it lays out memory.
type SpaceEnvironment struct {
	// Variables are those of the environment that the header names and that are set; nil where the environment could not be read.
	Variables map[string]string `json:"variables"`
	Others    []string          `json:"others"` // the names of all other variables, ascending, never what they hold; nil where unknown
	Limits    map[string]string `json:"limits"` // rlimit_… and cgroup_… as in the header: those that are known
}

// Thread is the life of a thread.
type Thread struct {
	T     int64  `json:"t"`
	TID   int    `json:"tid"`
	PID   int    `json:"pid"`
	Space int    `json:"space"`
	What  string `json:"what"` // "start", "exec", "exit"
	Name  string `json:"name"`
	NsTID int    `json:"ns_tid,omitempty"` // tid in the thread's own pid namespace, if different
	// SP and TLS are, on start and exec lines, the stack pointer and the thread pointer (fs base) at the thread's
	// first stop: they identify the mappings of its stack and thread-local storage, even if the C library reuses
	// those of an ended thread without a system call.
	SP  Hex `json:"sp,omitempty"`
	TLS Hex `json:"tls,omitempty"`
	// Exit is, on the exit line of the thread that a process began with, how the process ended; nil where that was not
	// seen.
	Exit *Exit `json:"exit,omitempty"`
}

// Module is a file, or a stretch of memory, that code ran from.
type Module struct {
	Module  int     `json:"module"`         // 1, 2, 3 …
	Path    string  `json:"path"`           // "[vdso]", "[anon]" for code in no file
	Role    string  `json:"role,omitempty"` // what it is to the programs that load it; "" where nobody looked
	BuildID *string `json:"build_id"`
	Dev     string  `json:"dev"`
	Inode   uint64  `json:"inode"`
}

// Stack is a call stack, innermost frame first.
type Stack struct {
	Stack    int     `json:"stack"` // 1, 2, 3 …
	Frames   []Frame `json:"frames"`
	Complete bool    `json:"complete"`
	End      string  `json:"end"`
}

// Frame is one return address of a Stack (the pc itself for the first frame).
type Frame struct {
	PC     Hex    `json:"pc"`
	Module int    `json:"module"`
	Offset Hex    `json:"offset"` // the file's own virtual address
	Via    string `json:"via"`
	Call   bool   `json:"call,omitempty"` // PC is a return address: look up PC-1
	// Omitted is how many frames between the one before and this one were not recorded: of a deep stack both ends are.
	Omitted int `json:"omitted,omitempty"`
}

// Mapping is a row of a space's or a snapshot's list.
type Mapping struct {
	Start Hex `json:"start"`
	End   Hex `json:"end"`
	Attr
}

// Attr is a mapping without its address range.
type Attr struct {
	Perms       string  `json:"perms"`
	Offset      uint64  `json:"offset"` // bytes into the file
	Dev         string  `json:"dev"`
	Inode       uint64  `json:"inode"`
	Path        string  `json:"path"`
	Origin      *uint64 `json:"origin"`
	OriginCause string  `json:"origin_cause,omitempty"` // with Origin null
	// Exec goes with the cause "kernel": the seq of the execve, null (written) at launch. Absent otherwise.
	Exec      *ExecSeq `json:"exec,omitempty"`
	MovedFrom *Moved   `json:"moved_from,omitempty"`
}

// ExecSeq is the seq of an execve, null where it is 0 (the launch).
type ExecSeq uint64

// Moved says where mremap moved the pages from.
type Moved struct {
	Start  Hex     `json:"start"`
	Origin *uint64 `json:"origin"`
}

// Change is one step of what an event did.
type Change struct {
	Start Hex   `json:"start"`
	End   Hex   `json:"end"`
	Was   *Attr `json:"was"`
	Now   *Attr `json:"now"`
}

// Arg is one argument of a call by its man page's name. Address says that Value is written as Hex, Text
// (when not empty) is written instead of Value.
type Arg struct {
	Name    string
	Value   int64
	Address bool
	Text    string
}

// Args are written as one JSON object, in order.
type Args []Arg

// Result is what a call returned; addresses are written as Hex.
type Result struct {
	Value   int64
	Address bool
}

// Event is one system call that changed, or tried to change, the mappings.
type Event struct {
	Seq       uint64   `json:"seq"`
	T         int64    `json:"t"`
	Space     int      `json:"space"`
	PID       int      `json:"pid"`
	TID       int      `json:"tid"`
	Call      string   `json:"call"`
	Args      Args     `json:"args"`
	Result    *Result  `json:"result,omitempty"`
	Error     string   `json:"error,omitempty"`
	Stack     *int     `json:"stack"`
	Changes   []Change `json:"changes"`
	Uncertain bool     `json:"uncertain,omitempty"`
	// Limits are, of a call that was refused memory, the rlimit_… of its process then, as in SpaceEnvironment, where they are not those
	// that its program began with: setrlimit(2) and prlimit(2) may have changed them.
	Limits map[string]string `json:"limits,omitempty"`
}

// Advice is one madvise(2) that changes which pages of the mappings are in memory, and no mapping. It has no seq, and its
// place is that of its return. Only in recordings that were asked for it.
type Advice struct {
	T      int64   `json:"t"`
	After  uint64  `json:"after"`
	Space  int     `json:"space"`
	PID    int     `json:"pid"`
	TID    int     `json:"tid"`
	Call   string  `json:"call"`
	Args   Args    `json:"args"`
	Result *Result `json:"result,omitempty"`
	Error  string  `json:"error,omitempty"`
	Stack  *int    `json:"stack"`
	// Before and Left are the bytes of its range that were in memory at its entry and at its return, nil where nobody counted.
	Before *int64 `json:"before"`
	Left   *int64 `json:"left"`
}

// AsEvent is the call of r, as an event without changes.
func (r *Advice) AsEvent() *Event {
	return &Event{T: r.T, Space: r.Space, PID: r.PID, TID: r.TID, Call: r.Call, Args: r.Args, Result: r.Result, Error: r.Error, Stack: r.Stack}
}

// Origin is an event of an earlier segment whose pages are still mapped when this one begins, or were mapped over by
// such an event.
type Origin struct {
	Event
	Name string `json:"name,omitempty"` // of the thread, "" where unknown
}

// Drift is a difference between kernel and ledger that no traced call explains.
type Drift struct {
	T       int64    `json:"t"`
	After   uint64   `json:"after"`
	Space   int      `json:"space"`
	Changes []Change `json:"changes"`
	Guess   string   `json:"guess"`
	Beside  *uint64  `json:"beside,omitempty"` // origin of the MAP_GROWSDOWN mapping that grew
}

// Symbol is the name of a module's address.
type Symbol struct {
	Module int           `json:"module"`
	Offset Hex           `json:"offset"` // the address looked up
	Frames []SymbolFrame `json:"frames"` // innermost inlined first
	Source string        `json:"source"`
}

// SymbolFrame is one function of an inlined chain.
type SymbolFrame struct {
	Function    string `json:"function"`
	LinkageName string `json:"linkage_name,omitempty"`
	Start       Hex    `json:"start"`
	File        string `json:"file,omitempty"`
	Line        int    `json:"line,omitempty"`
	Unit        string `json:"unit,omitempty"` // the source file that a function without file is local to
	Inlined     bool   `json:"inlined"`
}

// Snapshot is the whole ledger of a space beside the kernel's figures.
type Snapshot struct {
	T        int64             `json:"t"`
	After    uint64            `json:"after"`
	Space    int               `json:"space"`
	Cause    string            `json:"cause"`
	Mappings []SnapshotMapping `json:"mappings"`
	System   System            `json:"system,omitempty"`
}

// System is what a process presses on at a moment, by stable words (docs/eventlog.md): figures of its cgroup, of
// the machine and of its own that no mapping has, in bytes or, where they are numbers of something, as numbers. What
// could not be read is not in it; nil is the snapshot of a version that did not ask.
type System map[string]int64

// SnapshotMapping is a Mapping with the kernel's figures in bytes. A kernel row that several mappings
// share is divided between them (see docs/eventlog.md).
type SnapshotMapping struct {
	Mapping
	RSS          uint64 `json:"rss"`
	PSS          uint64 `json:"pss"`
	PrivateDirty uint64 `json:"private_dirty"`
	Swap         uint64 `json:"swap"`
	Shared       uint64 `json:"shared,omitempty"` // of rss: pages that other processes, or other places, map too
	Huge         uint64 `json:"huge,omitempty"`   // of rss: in huge pages
	Locked       uint64 `json:"locked,omitempty"` // of rss: locked in memory (mlock)
	AnonName     string `json:"anon_name,omitempty"`
	Rows         int    `json:"rows,omitempty"` // kernel rows that begin in it
}

// Content is what a space's memory showed at a moment: what was recognised in it from the control blocks, headers and
// bookkeeping of its users. Only a recording that attaches to a running process needs that.
type Content struct {
	T        int64     `json:"t"`
	After    uint64    `json:"after"`
	Space    int       `json:"space"`
	Findings []Finding `json:"findings"`
}

// Finding is one object recognised in memory.
type Finding struct {
	Kind       string        `json:"kind"`             // a word of docs/kinds.md
	Detail     string        `json:"detail,omitempty"` // identifies it among its kind
	TID        int           `json:"tid,omitempty"`    // the thread that it belongs to
	Confidence string        `json:"confidence"`       // "certain", "likely", "guess"
	Evidence   string        `json:"evidence"`
	Parts      []FindingPart `json:"parts"`
	Books      *Books        `json:"books,omitempty"`
}

// FindingPart is a piece of a finding. Pieces do not overlap.
type FindingPart struct {
	Start Hex    `json:"start"`
	End   Hex    `json:"end"`
	Kind  string `json:"kind,omitempty"` // set if it differs from the finding's
}

// Books are an allocator's own figures for a finding, in bytes.
type Books struct {
	System uint64 `json:"system"` // made usable
	Free   uint64 `json:"free"`   // of System, unused, Top included
	Top    uint64 `json:"top"`    // of Free, at the end
}

// Note is something the reader should know.
type Note struct {
	T     int64  `json:"t"`
	Level string `json:"level"` // "info", "warning"
	Code  string `json:"code"`
	Text  string `json:"text"`
}

// End is the last line of a whole log.
type End struct {
	T      int64  `json:"t"`
	Cause  string `json:"cause"` // "exit", "detach", "duration", "failed", "segment"
	Exit   *Exit  `json:"exit"`
	Events uint64 `json:"events"`
	Stacks uint64 `json:"stacks"`
	Checks uint64 `json:"checks"`
	Drifts uint64 `json:"drifts"`
	Lost   uint64 `json:"lost"`
	System System `json:"system,omitempty"` // at the end of the recording, of the cgroup alone
}

// Exit is how the launched program ended: Code or Signal is set.
type Exit struct {
	Code   *int   `json:"code,omitempty"`
	Signal *int   `json:"signal,omitempty"`
	Name   string `json:"name,omitempty"` // the signal's name, "SIGSEGV"
}

// Type implements Record; so do the methods below.
func (*Header) Type() string   { return "header" }
func (*Space) Type() string    { return "space" }    // implements Record
func (*Thread) Type() string   { return "thread" }   // implements Record
func (*Module) Type() string   { return "module" }   // implements Record
func (*Stack) Type() string    { return "stack" }    // implements Record
func (*Event) Type() string    { return "event" }    // implements Record
func (*Origin) Type() string   { return "origin" }   // implements Record
func (*Advice) Type() string   { return "advice" }   // implements Record
func (*Drift) Type() string    { return "drift" }    // implements Record
func (*Symbol) Type() string   { return "symbol" }   // implements Record
func (*Snapshot) Type() string { return "snapshot" } // implements Record
func (*Content) Type() string  { return "content" }  // implements Record
func (*Note) Type() string     { return "note" }     // implements Record
func (*End) Type() string      { return "end" }      // implements Record

var _ json.Marshaler = Hex(0)
