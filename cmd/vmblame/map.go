package main

import (
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/corefile"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/openfile"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/record"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/text"
	"github.com/vmblame/vmblame/internal/vm"
)

func mapCommand() *cobra.Command {
	m := mapping{by: choice{value: "kind", of: []string{"kind", "file", "thread"}},
		sort: choice{value: "reserved", of: []string{"reserved", "committed", "resident", "count", "name", "vmas"}}}
	cmd := &cobra.Command{
		Use:   "map [flags] PID|NAME|CORE|FILE|-",
		Short: "Say what a running process's memory is, now",
		Long: `Says what the memory of a running process is, by what stands in it: stacks by the control blocks of
threads, arenas by malloc's own headers, files by their program headers, runtimes by their books.
Nothing is traced and nothing is stopped; vmblame attach records who maps more.

Of a core file, and of a saved /proc/PID/maps, smaps or what pmap prints (a FILE, or - for standard input), it says
what these tell, and what they cannot.

--all lists the processes of the machine: how many addresses they have, how much of it can be accessed, is in
memory and shared, how many mappings of vm.max_map_count, and of the first of them what they have most of.`,
		ValidArgsFunction: completeProcesses,
		Args: func(cmd *cobra.Command, args []string) error {
			if m.all {
				return exactly()(cmd, args)
			}
			return exactly("PID|NAME|CORE|FILE|-")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if m.all {
				return m.processes(cmd)
			}
			return m.one(cmd, args[0])
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&m.all, "all", false, "a table of the machine's processes")
	f.BoolVar(&m.json, "json", false, "answer in JSON, sizes in bytes")
	f.BoolVar(&m.bytes, "bytes", false, "exact numbers of bytes")
	f.BoolVar(&m.wide, "wide", false, "lines as wide as what they say, with nothing left out")
	m.rows.flag(cmd)
	f.Var(&m.by, "by", "list by "+m.by.list())
	f.Var(&m.sort, "sort", "order by "+m.sort.list()+"; with --all by resident where nothing is said")
	f.Var((*sizeValue)(&m.o.MinSize), "min-size", "sum up what reserves less than `SIZE` (64K, 1M)")
	f.StringVarP(&m.output, "output", "o", "", "write a log of this moment to `FILE`, which report, blame and diff read")
	m.by.complete(cmd, "by")
	m.sort.complete(cmd, "sort")
	return cmd
}

// mapping holds the flags of the map command.
type mapping struct {
	answer
	o        analysis.ReportOptions
	by, sort choice
	all      bool
	output   string
	rows     rowsShown
}

// one prints the answer about one process.
func (m *mapping) one(cmd *cobra.Command, word string) error {
	collectLate()
	records, source, err := recordsOf(cmd, word)
	if err != nil {
		return err
	}
	if m.output != "" {
		if err := writeRecords(m.output, records); err != nil {
			return failed("map: write %s: %w", m.output, unwritten(m.output, err))
		}
	}
	m.o.By, m.o.Sort, m.o.Bytes = analysis.By(m.by.value), analysis.Sort(m.sort.value), m.bytes
	r, err := reportOf(records, m.o)
	if err != nil {
		return failed("map %s: %w", word, err)
	}
	r.Source = source
	for _, rec := range records {
		if n, ok := rec.(*eventlog.Note); ok {
			say(cmd.ErrOrStderr(), folded("vmblame: "+toldLines(text.PrintableLines(n.Text), text.Style{Words: language(cmd)}))+"\n")
		}
	}
	l := m.look(cmd, m.output)
	m.rows.set(&l)
	return m.print(cmd, func() []byte { return report.Report(r, l) }, func() any { return r })
}

// savedLimit bounds the text of a saved list of mappings.
const savedLimit = 1 << 30

// recordsOf returns a log of a single moment. word names its source: a process by its pid or name, a core file, a file
// with a saved list of mappings, or "-" for such a list on standard input. source is that file's name, "" for a
// process.
func recordsOf(cmd *cobra.Command, word string) (records []eventlog.Record, source string, err error) {
	tool := "vmblame " + version
	switch st, statErr := os.Stat(word); {
	case word == "-":
		return mapText(cmd.InOrStdin(), word, tool)
	case statErr == nil && st.Mode().IsRegular() && !isNumber(word) && (strings.Contains(word, "/") || len(processesNamed(word)) == 0):
		f, err := openfile.Regular(word)
		if err != nil {
			return nil, "", failed("map %s: %w", word, err)
		}
		defer f.Close()
		head := make([]byte, 64)
		n, _ := io.ReadFull(f, head)
		head = head[:n]
		if !bytes.HasPrefix(head, []byte("\x7fELF")) && corefile.Compressed(head) == "" {
			if bytes.HasPrefix(head, []byte(`{"type":"header"`)) {
				return nil, "", failed("map %s: it is a log: vmblame report %s", word, quote(word))
			}
			return mapText(io.MultiReader(bytes.NewReader(head), f), word, tool)
		}
		if t := elfType(head); t == elf.ET_EXEC || t == elf.ET_DYN {
			return nil, "", failed("map %s: a program or a library, not a core file: vmblame run %s", word, asProgram(word))
		}
		if records, err = record.MapCore(word, tool); err != nil {
			return nil, "", &exit{status: exitFailed, err: err}
		}
		return records, word, nil
	}
	pid, err := processOf(cmd, word)
	if err != nil {
		return nil, "", err
	}
	if of := procfs.ProcessOf(pid); of > 0 && of != pid {
		note(cmd, "map %d: that is a thread of process %d, whose memory this is", pid, of)
		pid = of
	}
	if records, err = record.Map(pid, tool); err != nil {
		return nil, "", &exit{status: exitFailed, err: err}
	}
	return records, "", nil
}

func mapText(r io.Reader, name, tool string) ([]eventlog.Record, string, error) {
	text, err := io.ReadAll(io.LimitReader(r, savedLimit+1))
	if err == nil && len(text) > savedLimit {
		err = errors.New("more than 1 GiB of text")
	}
	if err != nil {
		return nil, "", failed("map %s: %w", name, err)
	}
	records, err := record.MapText(text, tool)
	if errors.Is(err, vm.ErrNoRows) {
		return nil, "", failed("map %s: neither a core file nor a memory map: cat /proc/PID/smaps or pmap -x PID writes one", name)
	} else if err != nil {
		return nil, "", failed("map %s: %w", name, err)
	}
	return records, name, nil
}

// isNumber reports whether word is a decimal integer.
func isNumber(word string) bool {
	_, err := strconv.Atoi(word)
	return err == nil
}

// reportOf returns the report of a log that is in memory only.
func reportOf(records []eventlog.Record, o analysis.ReportOptions) (*analysis.Report, error) {
	s, err := recorded(records)
	if err != nil {
		return nil, err
	}
	return s.Report(o), nil
}

// largestOf is for how many processes the largest kind is looked up: each look takes as long as map of one process.
const largestOf = 20

// processes prints the answer about all processes of the machine.
func (m *mapping) processes(cmd *cobra.Command) error {
	for _, flag := range []string{"by", "min-size", "output"} {
		if cmd.Flags().Changed(flag) {
			return misused(cmd, "--%s is about one process", flag)
		}
	}
	sort := analysis.SortResident
	if cmd.Flags().Changed("sort") {
		sort = analysis.Sort(m.sort.value)
	}
	all := analysis.NewProcesses(record.Processes(procfs.Processes()), sort, record.MaxMapCount())
	looked := min(len(all.List), largestOf)
	if m.rows.top > 0 {
		looked = min(looked, int(m.rows.top))
	}
	for i := range all.List[:looked] {
		all.List[i].Largest = largestIn(all.List[i].PID, sort)
	}
	l := m.look(cmd, "")
	l.Rows = 0 // a list of processes is for looking through: it has all of them
	m.rows.set(&l)
	return m.print(cmd, func() []byte { return report.Processes(all, l) }, func() any { return all })
}

// largestIn looks up which kind of memory a process has most of, nil if that cannot be determined.
func largestIn(pid int, sort analysis.Sort) *analysis.LargestShare {
	records, err := record.Map(pid, "vmblame "+version)
	if err != nil {
		return nil
	}
	if sort != analysis.SortCommitted && sort != analysis.SortResident {
		sort = analysis.SortReserved
	}
	r, err := reportOf(records, analysis.ReportOptions{By: analysis.ByKind, Sort: sort})
	if err != nil || len(r.Processes) == 0 || len(r.Processes[0].Holders) == 0 {
		return nil
	}
	h := &r.Processes[0].Holders[0]
	return &analysis.LargestShare{Kind: h.Kind, Label: h.Label, Reserved: h.Reserved, Resident: h.Resident}
}

// recorded returns the state at the end of a log that is in memory only.
func recorded(records []eventlog.Record) (*analysis.State, error) {
	return analysis.Load(func() (*eventlog.Reader, error) { return eventlog.ReaderOf(records), nil }, analysis.Moment{}, nil)
}

// writeRecords writes a whole log.
func writeRecords(name string, records []eventlog.Record) error {
	w, err := eventlog.Create(name)
	if err != nil {
		return err
	}
	for _, r := range records {
		if err := w.Put(r); err != nil {
			break // Close says it
		}
	}
	return w.Close()
}

// processOf returns the pid of the process that word names: by its number, or as the only process with that name.
func processOf(cmd *cobra.Command, word string) (int, error) {
	if pid, err := strconv.ParseInt(word, 10, 32); err == nil && pid > 0 {
		return int(pid), nil
	} else if err == nil || errors.Is(err, strconv.ErrRange) {
		return 0, misused(cmd, "%s: not a pid", word)
	}
	pids := processesNamed(word)
	if len(pids) > 1 { // kernel threads, and what has ended and waits for its parent, are no choice
		pids = slices.DeleteFunc(pids, func(pid int) bool {
			size, _ := procfs.Statm(pid)
			return size == 0
		})
	}
	switch len(pids) {
	case 0:
		return 0, failed("%s %s: no process has that name: ps -e lists those that run", cmd.Name(), word)
	case 1:
		return pids[0], nil
	}
	style := look(cmd, os.Stderr)
	style.Color = false
	return 0, failed("%s %s: %d processes have that name: say which by its pid:%s", cmd.Name(), word, len(pids), report.Choose(record.Processes(pids), style))
}
