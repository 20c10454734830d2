package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/export"
	"github.com/vmblame/vmblame/internal/html"
)

// An exportFormat is one value of --format.
type exportFormat struct {
	name, about string
	most        int  // the number of logs that it takes; of two it writes the difference
	tables      bool // it is a folder of files
	whole       bool // it has no moment and no choice of processes
	write       func(x *exporting, w io.Writer) error
}

// exportFormats lists them in the order of the help.
func exportFormats() []exportFormat {
	return []exportFormat{
		{name: "pprof", about: "a profile for `go tool pprof`; of two logs the difference", most: 2, write: exportPprof},
		{name: "folded", about: "stacks for flamegraph.pl and its like; of two logs before and after", most: 2, write: exportFolded},
		{name: "speedscope", about: "a profile for speedscope.app", most: 1, write: exportSpeedscope},
		{name: "perfetto", about: "a trace for ui.perfetto.dev: sizes by kind, calls with their stacks", most: 1, write: exportPerfetto},
		{name: "chrome", about: "the same in the Trace Event Format: chrome://tracing and others", most: 1, write: exportChrome},
		{name: "parquet", about: "tables for DuckDB, ClickHouse, Spark: a folder (docs/sql.md)", most: 1, tables: true, write: exportParquet},
		{name: "csv", about: "the same tables as text", most: 1, tables: true, write: exportCSV},
		{name: "html", about: "the page of pictures of `vmblame html`", most: 2, write: exportHTML},
		{name: "json", about: "one JSON document of all that the log says, names in the frames", most: 1, whole: true, write: exportJSON},
	}
}

// ofTwo returns the names of the formats that take two logs.
func ofTwo() (names []string) {
	for _, f := range exportFormats() {
		if f.most == 2 {
			names = append(names, f.name)
		}
	}
	return names
}

// exporting is one run of the export command.
type exporting struct {
	cmd   *cobra.Command
	logs  []string // as they were given, with their moments
	at    string
	pids  []int
	value string
	table string // the only table to write, "" for all
	dir   string // that tables go to
}

func exportCommand() *cobra.Command {
	x := exporting{}
	var format, output string
	var inJSON bool
	about := &strings.Builder{}
	for _, f := range exportFormats() {
		fmt.Fprintf(about, "\n  %-10s  %s", f.name, f.about)
	}
	value := choice{value: export.Addresses.String()}
	for _, v := range export.Values() {
		value.of = append(value.of, v.String())
	}
	cmd := &cobra.Command{
		Use:   "export --format FORMAT [flags] LOG [LOG2]",
		Short: "Write a log for other tools",
		Long: "Writes LOG, as it is at a moment, in another format to standard output or to a file:\n" + about.String() + `

A moment of a log: LOG@end (the default), LOG@start, LOG@peak, LOG@1.5s, LOG@seq:123.`,
		Args:              between("LOG", "LOG2"),
		ValidArgsFunction: completeLogs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			x.cmd, x.logs, x.value = cmd, args, value.value
			if format == "" && inJSON {
				format = "json"
			}
			f, err := findFormat(cmd, format)
			switch {
			case err != nil:
				return err
			case len(args) > f.most:
				return misused(cmd, "%s is of one log: the difference between two is for %s", f.name, strings.Join(ofTwo(), ", "))
			case f.whole && (x.at != "" || len(x.pids) > 0):
				return misused(cmd, "%s is of the whole log: without --at and --pid", f.name)
			case f.tables && x.table == "" && output == "":
				return misused(cmd, "%s is several tables: -o FOLDER, or --table for one of %s", f.name, strings.Join(export.Tables(), ", "))
			case !f.tables && x.table != "":
				return misused(cmd, "--table is for parquet and csv")
			case x.table != "" && !slices.Contains(export.Tables(), x.table):
				return misused(cmd, "--table %q: known are %s", x.table, strings.Join(export.Tables(), ", "))
			case f.name != "folded" && cmd.Flags().Changed("value"):
				return misused(cmd, "--value is for folded: %s has all of them", f.name)
			}
			if f.tables && x.table == "" {
				x.dir = output
				return f.write(&x, io.Discard)
			}
			return x.run(f, output)
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringVar(&format, "format", "", "write this `FORMAT`: pprof, folded, speedscope, perfetto, chrome, parquet, csv, html or json")
	fl.StringVar(&x.at, "at", "", "the `MOMENT` of the log, instead of LOG@MOMENT")
	fl.IntSliceVar(&x.pids, "pid", nil, "only the process with this `PID`")
	fl.Var(&value, "value", "of folded stacks: "+value.list())
	fl.StringVar(&x.table, "table", "", "of parquet and csv: only the table `NAME`")
	fl.StringVarP(&output, "output", "o", "", "write to `FILE`; tables: to this folder")
	fl.BoolVar(&inJSON, "json", false, "the same as --format json")
	value.complete(cmd, "value")
	_ = cmd.RegisterFlagCompletionFunc("format", func(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
		for _, f := range exportFormats() {
			names = append(names, f.name)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

// run writes the format to its destination. A file that could not be written completely leaves an earlier one
// unchanged.
func (x *exporting) run(f exportFormat, output string) error {
	if output == "" {
		w := bufio.NewWriterSize(x.cmd.OutOrStdout(), 1<<16)
		err := f.write(x, w)
		if e := w.Flush(); err == nil {
			err = written(e)
		}
		return err
	}
	err := replaceFile(output, func(w io.Writer) error { return f.write(x, w) })
	if e := (*exit)(nil); err != nil && !errors.As(err, &e) {
		err = failed("export: write %s: %w", output, err)
	}
	return err
}

// open opens log number i at its moment.
func (x *exporting) open(i int) (*logFile, error) {
	l, err := openLogFile(x.cmd, x.logs[i])
	if err != nil || x.at == "" {
		return l, err
	}
	if l.name != x.logs[i] {
		l.close()
		return nil, misused(x.cmd, "--at and %s: one moment is enough", x.logs[i])
	}
	if l.at, err = analysis.ParseMoment(x.at); err != nil {
		l.close()
		return nil, misused(x.cmd, "--at: %v", err)
	}
	return l, nil
}

// pidsOf returns the pids that were chosen in log number i. If there are two logs and two pids, each log has its own.
func (x *exporting) pidsOf(i int) []int {
	if len(x.logs) == 2 && len(x.pids) == 2 {
		return x.pids[i : i+1]
	}
	return x.pids
}

// profile returns the profile of the log, or the difference between those of two logs.
func (x *exporting) profile() (*export.Profile, error) {
	var sides []*export.Profile
	for i := range x.logs {
		l, err := x.open(i)
		if err != nil {
			return nil, err
		}
		p, err := export.NewProfile(l.open, l.at, x.pidsOf(i), l.name, len(x.logs) == 2)
		l.close()
		if err != nil {
			return nil, l.failed(x.cmd, err)
		}
		l.warn(x.cmd, p.Cut())
		sides = append(sides, p)
	}
	if len(sides) == 2 {
		return sides[1].Minus(sides[0]), nil
	}
	return sides[0], nil
}

func exportPprof(x *exporting, w io.Writer) error {
	p, err := x.profile()
	if err != nil {
		return err
	}
	return written(p.WritePprof(w))
}

func exportFolded(x *exporting, w io.Writer) error {
	p, err := x.profile()
	if err != nil {
		return err
	}
	for _, v := range export.Values() {
		if v.String() == x.value {
			return written(p.WriteFolded(w, v))
		}
	}
	return nil
}

func exportSpeedscope(x *exporting, w io.Writer) error {
	p, err := x.profile()
	if err != nil {
		return err
	}
	return written(p.WriteSpeedscope(w, "vmblame "+version))
}

func exportPerfetto(x *exporting, w io.Writer) error { return x.trace(w, export.WritePerfetto) }

func exportChrome(x *exporting, w io.Writer) error {
	return x.trace(w, func(w io.Writer, open analysis.Open, at analysis.Moment, pids []int) (bool, error) {
		return export.WriteChrome(w, open, at, pids, "vmblame "+version)
	})
}

// trace calls write with the log and its moment.
func (x *exporting) trace(w io.Writer, write func(io.Writer, analysis.Open, analysis.Moment, []int) (cut bool, err error)) error {
	l, err := x.open(0)
	if err != nil {
		return err
	}
	cut, err := write(w, l.open, l.at, x.pids)
	l.close()
	if err != nil {
		return l.failed(x.cmd, err)
	}
	l.warn(x.cmd, cut)
	return nil
}

func exportParquet(x *exporting, w io.Writer) error { return x.tables(w, export.Parquet) }

func exportCSV(x *exporting, w io.Writer) error { return x.tables(w, export.CSV) }

// tables writes all tables, each to its own file in the chosen directory, or only the chosen one to w.
func (x *exporting) tables(w io.Writer, f export.TableFormat) (err error) {
	l, err := x.open(0)
	if err != nil {
		return err
	}
	defer l.close()
	create := func(string) (io.Writer, error) { return w, nil }
	var which []string
	if x.table != "" {
		which = []string{x.table}
	} else {
		files := &folder{name: x.dir, extension: f.Extension()}
		if err := files.make(); err != nil {
			return failed("export: %w", err)
		}
		defer func() {
			if e := files.close(err != nil); e != nil && err == nil {
				err = failed("export: %w", e)
			}
		}()
		create = files.create
	}
	cut, err := export.WriteTables(create, f, l.open, l.at, x.pids, l.name, which...)
	if err != nil {
		return l.failed(x.cmd, err)
	}
	l.warn(x.cmd, cut)
	return nil
}

// A folder is a directory with a file for each table.
type folder struct {
	name, extension string
	files           []*os.File
	writers         []*bufio.Writer
}

func (d *folder) make() error {
	err := os.Mkdir(d.name, 0o700)
	if st, e := os.Stat(d.name); e == nil && st.IsDir() {
		return nil
	}
	return err
}

func (d *folder) create(table string) (io.Writer, error) {
	f, err := os.OpenFile(filepath.Join(d.name, table+d.extension), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	w := bufio.NewWriterSize(f, 1<<16)
	d.files, d.writers = append(d.files, f), append(d.writers, w)
	return w, nil
}

// close closes the files. It removes them if the export failed, since an incomplete table cannot be told from a
// complete one.
func (d *folder) close(failed bool) (err error) {
	for i, f := range d.files {
		if e := d.writers[i].Flush(); e != nil && err == nil {
			err = e
		}
		if e := f.Close(); e != nil && err == nil {
			err = e
		}
	}
	if failed || err != nil {
		for _, f := range d.files {
			_ = os.Remove(f.Name())
		}
	}
	return err
}

// written returns the error of a command whose output could not be written, nil if err is.
func written(err error) error {
	if err != nil {
		return failed("export: %w", err)
	}
	return nil
}

// exportJSON writes the whole log as JSON. Of a log that was cut off it writes what comes before the cut.
func exportJSON(x *exporting, w io.Writer) error {
	log := x.logs[0]
	if st, err := os.Stat(log); err == nil && !st.Mode().IsRegular() && !st.IsDir() {
		return failed("export %s: not a regular file, and the log is read several times: copy it to one first", log)
	}
	l, err := openWholeLog(x.cmd, log)
	if err != nil {
		return err
	}
	err = eventlog.ExportJSON(l.open, w)
	l.close()
	if err != nil && !errors.Is(err, eventlog.ErrCut) {
		return failed("export %s: %w", log, cause(err, log))
	}
	if err != nil {
		note(x.cmd, "export %s: %v: what stands before the cut was exported", log, eventlog.ErrCut)
	}
	_, err = w.Write([]byte("\n"))
	return written(err)
}

// exportHTML writes the same page as `vmblame html`.
func exportHTML(x *exporting, w io.Writer) error {
	if x.at != "" {
		return misused(x.cmd, "html has all moments: without --at")
	}
	p, err := readPictures(x.cmd, x.logs, x.pids, html.Embedded(), (*logFile).close)
	if err != nil {
		return err
	}
	return html.Write(w, p)
}

func findFormat(cmd *cobra.Command, name string) (exportFormat, error) {
	var known []string
	for _, f := range exportFormats() {
		if f.name == name {
			return f, nil
		}
		known = append(known, f.name)
	}
	list := strings.Join(known, ", ")
	if name == "" {
		return exportFormat{}, misused(cmd, "--format is missing; known are %s", list)
	}
	return exportFormat{}, misused(cmd, "unknown format %q; known are %s", name, list)
}
