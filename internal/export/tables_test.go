package export

import (
	"bytes"
	"encoding/csv"
	"io"
	"reflect"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
)

// writtenTables are the files of a log's tables by their names.
func writtenTables(t *testing.T, f TableFormat, log string, at analysis.Moment) map[string]*bytes.Buffer {
	t.Helper()
	files := map[string]*bytes.Buffer{}
	create := func(table string) (io.Writer, error) {
		files[table] = &bytes.Buffer{}
		return files[table], nil
	}
	if _, err := WriteTables(create, f, opener(log), at, nil, log); err != nil {
		t.Fatal(err)
	}
	return files
}

func rowsOf[T any](t *testing.T, files map[string]*bytes.Buffer, table string) []T {
	t.Helper()
	rows, err := parquet.Read[T](bytes.NewReader(files[table].Bytes()), int64(files[table].Len()))
	if err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	return rows
}

// TestTableFigures: the tables, read back, say what the report says, and have every event, change and frame of the log.
func TestTableFigures(t *testing.T) {
	eachLog(t, func(t *testing.T, log string, at analysis.Moment) {
		s := stateOf(t, log, at)
		report := s.Report(analysis.ReportOptions{})
		files := writtenTables(t, Parquet, log, at)
		got := map[string]figures{}
		for _, r := range rowsOf[RangeRow](t, files, "ranges") {
			n := figures{addresses: r.Bytes, usable: r.Committed, mappings: 1}
			if r.Resident != nil {
				n.resident = *r.Resident
			}
			for _, kind := range []string{r.Kind, ""} {
				sum := got[kind]
				got[kind] = figures{sum.addresses + n.addresses, sum.usable + n.usable, sum.resident + n.resident, sum.mappings + n.mappings}
			}
		}
		differ(t, "ranges", got, reported(report))
		processes := rowsOf[ProcessRow](t, files, "processes")
		if len(processes) != len(report.Processes) {
			t.Fatalf("%d processes, the report has %d", len(processes), len(report.Processes))
		}
		for i, p := range processes {
			q := &report.Processes[i]
			if int(p.PID) != q.PID || p.Name != q.Name || p.Reserved != q.Total.Reserved || p.Committed != q.Total.Committed || !reflect.DeepEqual(p.Resident, q.Total.Resident) || !reflect.DeepEqual(p.PSS, q.Total.Shared) || p.Peak != q.Peak || int(p.VMAs) != q.VMAs {
				t.Errorf("a process is %+v, the report has %+v", p, q)
			}
		}
		changes, mapped, unmapped := int64(0), int64(0), int64(0)
		events := rowsOf[EventRow](t, files, "events")
		seq := int64(s.Seq) - int64(len(events)) // that of a log which was cut to a size begins later
		if first := firstEvent(t, log); len(events) > 0 && seq+1 != first {
			t.Errorf("the events begin with %d, those of the log with %d", seq+1, first)
		}
		for _, e := range events {
			if seq++; e.Seq != seq {
				t.Fatalf("event %d stands in place %d", e.Seq, seq)
			}
			changes += e.Changes
			mapped += e.Mapped
			unmapped += e.Unmapped
		}
		if _, m, u := callsUpTo(t, log, s.Seq); m != mapped || u != unmapped {
			t.Errorf("events map %d and unmap %d, those of the log %d and %d", mapped, unmapped, m, u)
		}
		var want []eventlog.Change
		drifts := 0
		if _, err := analysis.LoadFollowed(opener(log), at, nil, func(rec eventlog.Record) {
			switch r := rec.(type) {
			case *eventlog.Event:
				want = append(want, copied(r.Changes)...)
			case *eventlog.Drift:
				want = append(want, copied(r.Changes)...)
				drifts += len(r.Changes)
			}
		}); err != nil {
			t.Fatal(err)
		}
		rows := rowsOf[ChangeRow](t, files, "changes")
		if len(rows) != len(want) || int64(len(rows)) != changes+int64(drifts) {
			t.Fatalf("%d changes, the log has %d, events say %d", len(rows), len(want), changes)
		}
		for i, r := range rows {
			c := want[i]
			if r.Start != uint64(c.Start) || r.End != uint64(c.End) || r.Bytes != int64(c.End-c.Start) || (r.Seq == nil) != (r.Drift != nil) ||
				!same(r.WasPath, c.Was, func(a *eventlog.Attr) string { return a.Path }) || !same(r.NowPath, c.Now, func(a *eventlog.Attr) string { return a.Path }) ||
				!same(r.WasPerms, c.Was, func(a *eventlog.Attr) string { return a.Perms }) || !same(r.NowPerms, c.Now, func(a *eventlog.Attr) string { return a.Perms }) {
				t.Errorf("a change is %+v, the log has %+v", r, c)
			}
		}
		frames := map[int64]int{}
		for _, r := range rowsOf[StackRow](t, files, "stacks") {
			list, _ := s.Frames(int(r.Stack))
			f := &list[r.Depth]
			if int(r.Depth) != frames[r.Stack] || r.Module != f.Module || !reflect.DeepEqual(r.Function, known(f.Function)) || !reflect.DeepEqual(r.File, known(f.File)) || !reflect.DeepEqual(r.BuildID, known(f.BuildID())) || r.Offset != uint64(f.Offset) {
				t.Errorf("frame %+v, want %+v", r, f)
			}
			frames[r.Stack]++
		}
		for id, n := range frames {
			if list, _ := s.Frames(int(id)); len(list) != n {
				t.Errorf("stack %d has %d frames, want %d", id, n, len(list))
			}
		}
		logs := rowsOf[LogRow](t, files, "logs")
		if len(logs) != 1 || logs[0].Seq != int64(s.Seq) || logs[0].T != s.T || logs[0].Peak != report.Peak || logs[0].Log == "" {
			t.Errorf("logs: %+v", logs)
		}
		if n := len(rowsOf[EnvironmentRow](t, files, "environment")); n != len(s.Header().Environment) {
			t.Errorf("%d settings, the log has %d", n, len(s.Header().Environment))
		}
	})
}

// firstEvent is the number of the log's first event, 1 where it has none.
func firstEvent(t *testing.T, log string) int64 {
	t.Helper()
	r, err := opener(log)()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		rec, err := r.Next()
		if err != nil {
			return 1
		}
		if e, ok := rec.(*eventlog.Event); ok {
			return int64(e.Seq)
		}
	}
}

// copied are changes that outlive their record.
func copied(list []eventlog.Change) []eventlog.Change {
	var all []eventlog.Change
	for _, c := range list {
		if c.Was != nil {
			c.Was = new(*c.Was)
		}
		if c.Now != nil {
			c.Now = new(*c.Now)
		}
		all = append(all, c)
	}
	return all
}

func same(got *string, a *eventlog.Attr, of func(*eventlog.Attr) string) bool {
	if got == nil || a == nil {
		return got == nil && a == nil
	}
	return *got == of(a)
}

// TestCSVIsParquet: both formats have the same columns and the same values.
func TestCSVIsParquet(t *testing.T) {
	eachLog(t, func(t *testing.T, log string, at analysis.Moment) {
		asCSV, asParquet := writtenTables(t, CSV, log, at), writtenTables(t, Parquet, log, at)
		equalTables[LogRow](t, asCSV, asParquet, "logs")
		equalTables[EnvironmentRow](t, asCSV, asParquet, "environment")
		equalTables[ProcessRow](t, asCSV, asParquet, "processes")
		equalTables[RangeRow](t, asCSV, asParquet, "ranges")
		equalTables[EventRow](t, asCSV, asParquet, "events")
		equalTables[ChangeRow](t, asCSV, asParquet, "changes")
		equalTables[StackRow](t, asCSV, asParquet, "stacks")
		if len(asCSV) != len(Tables()) || len(asParquet) != len(Tables()) {
			t.Errorf("%d and %d tables", len(asCSV), len(asParquet))
		}
	})
}

func equalTables[T any](t *testing.T, asCSV, asParquet map[string]*bytes.Buffer, table string) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(asCSV[table].Bytes()))
	lines, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := rowsOf[T](t, asParquet, table)
	if len(lines) != len(rows)+1 {
		t.Fatalf("%s: %d lines, %d rows", table, len(lines), len(rows))
	}
	for i, row := range rows {
		values := reflect.ValueOf(row)
		for j := range values.NumField() {
			if got, want := lines[i+1][j], cell(values.Field(j)); got != want {
				t.Errorf("%s: row %d, %s: %q, in Parquet %q", table, i, lines[0][j], got, want)
			}
		}
	}
}
