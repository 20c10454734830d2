package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/procfs"
	"github.com/vmblame/vmblame/internal/record"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/text"
)

func mapCommand() *cobra.Command {
	var a answer
	var o analysis.ReportOptions
	var output string
	by := choice{value: "kind", of: []string{"kind", "file", "thread"}}
	sort := choice{value: "reserved", of: []string{"reserved", "committed", "resident", "count", "name"}}
	cmd := &cobra.Command{
		Use:   "map [flags] PID|NAME",
		Short: "Say what a running process's memory is, now",
		Long: `Says what the memory of a running process is, by what stands in it: stacks by the control blocks of
threads, arenas by malloc's own headers, files by their program headers, runtimes by their books.
Nothing is traced and nothing is stopped; vmblame attach records who maps more.`,
		Args: exactly("PID|NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			pid, err := processOf(cmd, args[0])
			if err != nil {
				return err
			}
			records, err := record.Map(pid, "vmblame "+version)
			if err != nil {
				return &exit{status: exitFailed, err: err}
			}
			if output != "" {
				if err := writeRecords(output, records); err != nil {
					return failed("map: %w", err)
				}
			}
			var log []byte
			for _, r := range records {
				log = eventlog.AppendRecord(log, r)
			}
			s, err := analysis.Load(func() (*eventlog.Reader, error) { return eventlog.NewReader(bytes.NewReader(log)) }, analysis.Moment{}, nil)
			if err != nil {
				return failed("map %d: %w", pid, err)
			}
			o.By, o.Sort, o.Bytes = analysis.By(by.value), analysis.Sort(sort.value), a.bytes
			r := s.Report(o)
			return a.print(cmd, func() []byte { return report.Report(r, a.look(output)) }, func() any { return r })
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&a.json, "json", false, "answer in JSON, sizes in bytes")
	f.BoolVar(&a.bytes, "bytes", false, "exact numbers of bytes")
	f.Var(&by, "by", "list by "+by.list())
	f.Var(&sort, "sort", "order by "+sort.list())
	f.Var((*sizeValue)(&o.MinSize), "min-size", "sum up what reserves less than `SIZE` (64K, 1M)")
	f.StringVarP(&output, "output", "o", "", "write a log of this moment to `FILE`, which report, blame and diff read")
	by.complete(cmd, "by")
	sort.complete(cmd, "sort")
	return cmd
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

// processOf is the process that a word names: by its number, or the only one of that name.
func processOf(cmd *cobra.Command, word string) (int, error) {
	if pid, err := strconv.Atoi(word); err == nil && pid > 0 {
		return pid, nil
	}
	pids := processesNamed(word)
	switch len(pids) {
	case 0:
		return 0, failed("%s %s: no such process: a pid, or the name of one that runs", cmd.Name(), word)
	case 1:
		return pids[0], nil
	}
	var list strings.Builder
	for _, pid := range pids {
		fmt.Fprintf(&list, "\n  %d  %s", pid, text.Printable(strings.Join(procfs.Cmdline(pid), " ")))
	}
	return 0, failed("%s %s: %d processes have that name: say which by its pid:%s", cmd.Name(), word, len(pids), list.String())
}
