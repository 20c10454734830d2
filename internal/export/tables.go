package export

// The rows of the tables. The names of the columns are those of their tags; docs/sql.md is made from the comments here.
// What is not known is null.

// LogRow is a recording.
type LogRow struct {
	Log      string  `parquet:"log,dict"`                       // which recording it is: the same in all tables, and in no other recording
	Host     string  `parquet:"host,dict"`                      // name of the machine
	Kernel   string  `parquet:"kernel,dict"`                    // its release
	CPUs     int64   `parquet:"cpus"`                           // of the machine
	Started  int64   `parquet:"started,timestamp(microsecond)"` // when it began, UTC
	Command  string  `parquet:"command"`                        // that was launched, words with spaces between
	Mode     string  `parquet:"mode,dict"`                      // run, attach or map
	Backend  *string `parquet:"backend,dict"`                   // how calls were made to stop
	Tool     string  `parquet:"tool,dict"`                      // that recorded it
	Moment   string  `parquet:"moment"`                         // that the tables are of, as it was asked for
	T        int64   `parquet:"moment_t"`                       // when that is: nanoseconds since the recording began
	Seq      int64   `parquet:"moment_seq"`                     // the last event before it
	Cut      bool    `parquet:"cut"`                            // the log ends without its end line
	Peak     int64   `parquet:"peak_together"`                  // bytes, the most that was mapped at a time up to the moment, all processes together
	ExitCode *int64  `parquet:"exit_code"`                      // of the launched program, null where it did not exit
	Signal   *string `parquet:"exit_signal,dict"`               // that killed it, null where none did
	File     string  `parquet:"file"`                           // what the log was called
}

// EnvironmentRow is something recorded about the surroundings of a recording that changes memory layout.
type EnvironmentRow struct {
	Log   string  `parquet:"log,dict"`  // which recording
	Name  string  `parquet:"name,dict"` // of the variable, limit or kernel setting
	Value *string `parquet:"value"`     // null where it is unset
}

// ProcessRow is an address space in use at the moment, or as it ended before the log did: a process of report.
type ProcessRow struct {
	Log        string `parquet:"log,dict"`      // which recording
	Space      int64  `parquet:"space"`         // the log's number of the address space
	PID        int64  `parquet:"pid"`           // the process that began it
	Name       string `parquet:"name,dict"`     // what a person calls it
	Exe        string `parquet:"exe,dict"`      // path of its executable, '' where that is not known
	Ended      bool   `parquet:"ended"`         // it was over before the log was
	Until      int64  `parquet:"until"`         // when it was last in use, at most the moment
	Reserved   int64  `parquet:"reserved"`      // bytes of address space
	Committed  int64  `parquet:"committed"`     // those of them that can be accessed in some way, or are in memory all the same
	Resident   *int64 `parquet:"resident"`      // those in memory
	Uncounted  int64  `parquet:"uncounted"`     // bytes of address space of which nobody knows what is in memory
	PSS        *int64 `parquet:"pss"`           // resident bytes, what is shared divided among those who share it
	Dirty      *int64 `parquet:"private_dirty"` // resident bytes that are its alone and were written to
	Swapped    *int64 `parquet:"swapped"`       // bytes in swap space
	Mappings   int64  `parquet:"mappings"`      // entries of the ledger
	VMAs       int64  `parquet:"vmas"`          // rows of /proc/PID/maps
	Peak       int64  `parquet:"peak"`          // bytes, the most that the process had mapped up to the moment
	Explained  int64  `parquet:"explained"`     // bytes that a call or exec made
	ResidentAt *int64 `parquet:"resident_at"`   // when resident bytes were counted
}

// RangeRow is a mapping at the moment: what it is and who made it.
type RangeRow struct {
	Log         string  `parquet:"log,dict"`          // which recording
	Space       int64   `parquet:"space"`             // the address space
	PID         int64   `parquet:"pid"`               // the process that began the address space
	Start       uint64  `parquet:"start"`             // its first address
	End         uint64  `parquet:"end"`               // the first address behind it
	Bytes       int64   `parquet:"bytes"`             // its length
	Committed   int64   `parquet:"committed"`         // all of it where it can be accessed in some way, else what is in memory
	Resident    *int64  `parquet:"resident"`          // bytes in memory
	PSS         *int64  `parquet:"pss"`               // resident bytes, what is shared divided among those who share it
	Dirty       *int64  `parquet:"private_dirty"`     // resident bytes that are this process's alone and were written to
	Swapped     *int64  `parquet:"swapped"`           // bytes in swap space
	Perms       string  `parquet:"perms,dict"`        // the second column of /proc/PID/maps
	Path        string  `parquet:"path,dict"`         // of its file, or the name that the kernel gives it, '' for none
	Offset      uint64  `parquet:"offset"`            // bytes into the file
	Kind        string  `parquet:"kind,dict"`         // what it is: a word of docs/kinds.md
	Label       string  `parquet:"label,dict"`        // what it is, in words
	Confidence  string  `parquet:"confidence,dict"`   // how sure that is: certain, likely or guess
	Evidence    string  `parquet:"evidence,dict"`     // what it rests on
	OwnerTID    *int64  `parquet:"owner_tid"`         // the thread that it belongs to
	Origin      *int64  `parquet:"origin"`            // seq of the event that made it, null where none did
	OriginCause *string `parquet:"origin_cause,dict"` // what did, where no event did
	Call        *string `parquet:"call,dict"`         // of that event: the system call
	T           *int64  `parquet:"t"`                 // of that event
	TID         *int64  `parquet:"tid"`               // of that event
	Thread      *string `parquet:"thread,dict"`       // the name of that thread then
	Stack       *int64  `parquet:"stack"`             // of that event, in the table stacks
	Who         string  `parquet:"who,dict"`          // the calls to blame, innermost first, with ' < ' between; or words, where no traced call did
}

// EventRow is a mapping call up to the moment, in the kernel's order.
type EventRow struct {
	Log       string  `parquet:"log,dict"`    // which recording
	Seq       int64   `parquet:"seq"`         // 1, 2, 3 … over the whole recording
	T         int64   `parquet:"t"`           // when: nanoseconds since the recording began
	Space     int64   `parquet:"space"`       // the address space
	PID       int64   `parquet:"pid"`         // the process that called
	TID       int64   `parquet:"tid"`         // the thread that called
	Thread    string  `parquet:"thread,dict"` // its name
	Call      string  `parquet:"call,dict"`   // the system call
	Text      string  `parquet:"text"`        // it with arguments and result, as strace writes it
	Error     *string `parquet:"error,dict"`  // errno's name, null where it succeeded
	Asked     *int64  `parquet:"asked"`       // bytes that it asked for: its argument length, len or new_size
	Mapped    int64   `parquet:"mapped"`      // bytes that it mapped
	Unmapped  int64   `parquet:"unmapped"`    // bytes that it took away
	Changes   int64   `parquet:"changes"`     // how many rows of the table changes it has
	Stack     *int64  `parquet:"stack"`       // in the table stacks, null where it has none
	Who       *string `parquet:"who,dict"`    // the calls to blame, as in ranges, null where it has no stack
	Uncertain bool    `parquet:"uncertain"`   // the kernel's order could not be told for certain
}

// ChangeRow is what a call, or something that no traced call explains, did to the pages of one range.
type ChangeRow struct {
	Log       string  `parquet:"log,dict"`       // which recording
	Seq       *int64  `parquet:"seq"`            // the event, null for a change that no traced call explains
	Drift     *string `parquet:"drift,dict"`     // what that may have been, where it was no event
	T         int64   `parquet:"t"`              // when: nanoseconds since the recording began
	Space     int64   `parquet:"space"`          // the address space
	PID       int64   `parquet:"pid"`            // the process that began the address space
	Start     uint64  `parquet:"start"`          // its first address
	End       uint64  `parquet:"end"`            // the first address behind it
	Bytes     int64   `parquet:"bytes"`          // its length
	What      string  `parquet:"what,dict"`      // mapped, unmapped or changed
	WasPerms  *string `parquet:"was_perms,dict"` // before, null where nothing was mapped
	WasPath   *string `parquet:"was_path,dict"`  // before
	WasOrigin *int64  `parquet:"was_origin"`     // before: seq of the event that had made it
	NowPerms  *string `parquet:"now_perms,dict"` // behind it, null where nothing is mapped
	NowPath   *string `parquet:"now_path,dict"`  // behind it
	NowOrigin *int64  `parquet:"now_origin"`     // behind it: seq of the event that made it
}

// StackRow is a frame of a call stack, or a function inlined into it.
type StackRow struct {
	Log      string  `parquet:"log,dict"`      // which recording
	Stack    int64   `parquet:"stack"`         // the log's number of the stack
	Depth    int64   `parquet:"depth"`         // 0 for the innermost
	Function *string `parquet:"function,dict"` // its name, null where no symbol covers the address
	Module   string  `parquet:"module,dict"`   // path of the file
	BuildID  *string `parquet:"build_id,dict"` // of the file
	Offset   uint64  `parquet:"offset"`        // the address in the file
	File     *string `parquet:"file,dict"`     // of the source
	Line     *int64  `parquet:"line"`          // in the source
	Inlined  bool    `parquet:"inlined"`       // the function was inlined into the next one
	Omitted  *int64  `parquet:"omitted"`       // it stands for so many frames between, which were not recorded; null for a frame
	End      *string `parquet:"end,dict"`      // why the walk stopped early, null where it reached the outermost frame
}
