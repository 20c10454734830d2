package export

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/strace"
)

// A TableFormat is how the rows of tables are written.
type TableFormat int

// The formats.
const (
	Parquet TableFormat = iota // parquet.apache.org, compressed with zstd
	CSV                        // RFC 4180, with a line of names; null is empty
)

// Extension returns the extension of the files' names.
func (f TableFormat) Extension() string { return [...]string{".parquet", ".csv"}[f] }

// A table has a name and rows of one type.
type table struct {
	name    string
	row     reflect.Type
	parquet func(io.Writer) tableFile
}

// A tableFile takes rows of one table.
type tableFile interface {
	put(row any) error
	close() error
}

func tableOf[T any](name string) table {
	return table{name, reflect.TypeFor[T](), newParquetFile[T]}
}

// tables are all of them, in the order of docs/sql.md.
func tables() []table {
	return []table{tableOf[LogRow]("logs"), tableOf[EnvironmentRow]("environment"), tableOf[ProcessRow]("processes"), tableOf[RangeRow]("ranges"),
		tableOf[EventRow]("events"), tableOf[ChangeRow]("changes"), tableOf[StackRow]("stacks")}
}

// Tables lists the names of the tables.
func Tables() (list []string) {
	for _, t := range tables() {
		list = append(list, t.name)
	}
	return list
}

// WriteTables writes tables of a log as it is at a moment: those named in which, or all if there is none. log is the
// name of the log. create returns the writer for the table of that name; its caller closes it. WriteTables reports
// whether the log is cut.
func WriteTables(create func(table string) (io.Writer, error), f TableFormat, open analysis.Open, at analysis.Moment, pids []int, log string, which ...string) (cut bool, err error) {
	spaces := newSpaces()
	s, err := analysis.LoadFollowed(open, at, pids, spaces.put)
	if err != nil {
		return false, err
	}
	w := tableWriter{state: s, spaces: spaces, pids: pids, log: logID(s), files: map[string]tableFile{}}
	for _, t := range tables() {
		if len(which) > 0 && !slices.Contains(which, t.name) {
			continue
		}
		to, err := create(t.name)
		if err != nil {
			return false, err
		}
		if f == CSV {
			w.files[t.name] = newCSVFile(to, t.row)
		} else {
			w.files[t.name] = t.parquet(to)
		}
	}
	w.moment(log)
	if err := w.course(open, at); err != nil {
		return false, err
	}
	for _, f := range w.files {
		if err := f.close(); err != nil && w.err == nil {
			w.err = err
		}
	}
	return s.Cut, w.err
}

// logID tells recordings apart: machine, time and command in a few letters.
func logID(s *analysis.State) string {
	h := s.Header()
	if h == nil {
		return ""
	}
	sum := sha256.Sum256(eventlog.AppendRecord(nil, h))
	return hex.EncodeToString(sum[:8])
}

// A tableWriter writes the tables of one log.
type tableWriter struct {
	state  *analysis.State
	spaces *spaces
	pids   []int
	log    string
	files  map[string]tableFile // nil for one that was not asked for
	err    error                // the first
}

func (w *tableWriter) put(table string, row any) {
	if f := w.files[table]; f != nil && w.err == nil {
		w.err = f.put(row)
	}
}

// moment writes the tables that describe one moment: the recording, its environment, processes and ranges.
func (w *tableWriter) moment(log string) {
	s := w.state
	report := s.Report(analysis.ReportOptions{})
	w.put("logs", w.logRow(report, log))
	if h := s.Header(); h != nil {
		for _, name := range slices.Sorted(maps.Keys(h.Environment)) {
			w.put("environment", EnvironmentRow{w.log, name, h.Environment[name]})
		}
	}
	for i := range report.Processes {
		p := &report.Processes[i]
		n := &p.Total
		w.put("processes", ProcessRow{w.log, int64(p.Space), int64(p.PID), p.Name, p.Exe, p.Ended, p.Until, n.Reserved, n.Committed, n.Resident, n.Uncounted, n.Shared, n.Dirty, n.Swapped,
			int64(n.Mappings), int64(p.VMAs), p.Peak, p.Explained, p.ResidentAt})
	}
	for p, held := range s.Held {
		for i := range held {
			w.put("ranges", w.rangeRow(p, &held[i]))
		}
	}
}

func (w *tableWriter) logRow(r *analysis.Report, log string) LogRow {
	s := w.state
	row := LogRow{Log: w.log, Mode: r.Mode, Moment: r.Moment, T: r.T, Seq: int64(r.Seq), Cut: r.Cut, Peak: r.Peak, File: log}
	if h := s.Header(); h != nil {
		row.Host, row.Kernel, row.CPUs, row.Command, row.Tool = h.Host.Hostname, h.Host.Kernel, int64(h.Host.CPUs), strings.Join(h.Command, " "), h.Tool
		if h.Backend != nil {
			row.Backend = &h.Backend.Name
		}
	}
	if t := started(s); !t.IsZero() {
		row.Started = t.UnixMicro()
	}
	if end := s.End(); end != nil && end.Exit != nil {
		row.ExitCode = number(end.Exit.Code)
		row.Signal = known(end.Exit.Name)
	}
	return row
}

func (w *tableWriter) rangeRow(p *analysis.ReportProcess, h *analysis.Held) RangeRow {
	n := &h.Figures
	row := RangeRow{Log: w.log, Space: int64(p.Space), PID: int64(p.PID), Start: uint64(h.Start), End: uint64(h.End), Bytes: h.Bytes, Committed: n.Committed, Resident: h.Resident, PSS: n.Shared, Dirty: n.Dirty, Swapped: n.Swapped,
		Perms: h.Perms, Path: h.Path, Offset: h.Offset, Kind: string(h.Kind), Label: h.Label, Confidence: string(h.Confidence), Evidence: h.Evidence,
		OwnerTID: some(h.Owner), OriginCause: known(h.Cause), Call: known(h.Call), T: h.T, TID: some(h.TID), Thread: known(h.Thread), Stack: some(h.Stack), Who: h.Who.Text(0)}
	if h.Origin != nil {
		row.Origin = new(int64(*h.Origin))
	}
	return row
}

// course writes the tables of events, changes and stacks up to the moment.
func (w *tableWriter) course(open analysis.Open, at analysis.Moment) error {
	if w.files["events"] == nil && w.files["changes"] == nil && w.files["stacks"] == nil {
		return nil
	}
	_, err := analysis.LoadFollowed(open, at, w.pids, func(rec eventlog.Record) {
		switch r := rec.(type) {
		case *eventlog.Stack:
			w.stack(r.Stack)
		case *eventlog.Event:
			if sp := w.spaces.of[r.Space]; sp != nil && sp.wanted(w.pids) {
				w.put("events", w.eventRow(r, sp))
				for i := range r.Changes {
					row := w.changeRow(&r.Changes[i], sp, r.T)
					row.Seq = new(int64(r.Seq))
					w.put("changes", row)
				}
			}
		case *eventlog.Drift:
			if sp := w.spaces.of[r.Space]; sp != nil && sp.wanted(w.pids) {
				for i := range r.Changes {
					row := w.changeRow(&r.Changes[i], sp, r.T)
					row.Drift = new(r.Guess)
					w.put("changes", row)
				}
			}
		}
	})
	return err
}

func (w *tableWriter) eventRow(r *eventlog.Event, sp *space) EventRow {
	row := EventRow{Log: w.log, Seq: int64(r.Seq), T: r.T, Space: int64(r.Space), PID: int64(r.PID), TID: int64(r.TID), Thread: w.state.ThreadName(r.TID, r.T), Call: r.Call,
		Text: string(strace.AppendCall(nil, r)), Error: known(r.Error), Changes: int64(len(r.Changes)), Uncertain: r.Uncertain}
	row.Mapped, row.Unmapped = moved(r.Changes)
	for _, a := range r.Args {
		if a.Name == "length" || a.Name == "len" || a.Name == "new_size" || a.Name == "size" {
			row.Asked = new(a.Value)
		}
	}
	if r.Stack != nil {
		row.Stack = some(*r.Stack)
		row.Who = known(w.state.WhoCalled(*r.Stack, sp.exe).Text(0))
	}
	return row
}

// changeRow copies what it needs of c, since the reader reuses the record.
func (w *tableWriter) changeRow(c *eventlog.Change, sp *space, t int64) ChangeRow {
	row := ChangeRow{Log: w.log, T: t, Space: int64(sp.id), PID: int64(sp.pid), Start: uint64(c.Start), End: uint64(c.End), Bytes: int64(c.End - c.Start), What: "changed"}
	if c.Was == nil {
		row.What = "mapped"
	} else {
		row.WasPerms, row.WasPath, row.WasOrigin = new(c.Was.Perms), new(c.Was.Path), origin64(c.Was.Origin)
	}
	if c.Now == nil {
		row.What = "unmapped"
	} else {
		row.NowPerms, row.NowPath, row.NowOrigin = new(c.Now.Perms), new(c.Now.Path), origin64(c.Now.Origin)
	}
	return row
}

func (w *tableWriter) stack(id int) {
	if w.files["stacks"] == nil {
		return
	}
	frames, end := w.state.Frames(id)
	for i := range frames {
		f := &frames[i]
		w.put("stacks", StackRow{w.log, int64(id), int64(i), known(f.Function), f.Module, known(f.BuildID()), uint64(f.Offset), known(f.File), some(f.Line), f.Inlined, some(f.Omitted), known(end)})
	}
}

// known returns a pointer to s, nil for "".
func known(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// some returns a pointer to n, nil for 0.
func some(n int) *int64 {
	if n == 0 {
		return nil
	}
	return new(int64(n))
}

func number(n *int) *int64 {
	if n == nil {
		return nil
	}
	return new(int64(*n))
}

func origin64(seq *uint64) *int64 {
	if seq == nil {
		return nil
	}
	return new(int64(*seq))
}
