package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/text"
)

func reportCommand() *cobra.Command {
	var a answer
	var only filter
	var o analysis.ReportOptions
	var vmas bool
	var columns []string
	var rows rowsShown
	by := choice{value: "kind", of: []string{"kind", "stack", "file", "thread", "function"}}
	sort := choice{value: "reserved", of: []string{"reserved", "committed", "resident", "count", "name"}}
	cmd := &cobra.Command{
		Use:   "report [flags] [LOG]",
		Short: "Say who holds the address space",
		Long: `Lists what is mapped at one moment of LOG, by kind, call stack, file, thread or function: bytes
reserved, accessible (committed) and resident, and who mapped them.

A moment of a log: LOG@end (the default), LOG@start, LOG@peak, LOG@1.5s, LOG@seq:123.`,
		Args:              orNewest,
		ValidArgsFunction: completeLogs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			arg := logArg(cmd, args)
			chosen, err := only.parse(cmd)
			if err != nil {
				return err
			}
			log, err := only.open(cmd, arg)
			if err != nil {
				return err
			}
			s, err := log.load(cmd, a.pids, chosen)
			if err != nil {
				return err
			}
			o.By, o.Sort, o.Bytes = analysis.By(by.value), analysis.Sort(sort.value), a.bytes
			if vmas {
				o.Sort = analysis.SortVMAs
			}
			for _, c := range columns {
				if !slices.Contains(analysis.Columns(), analysis.Column(c)) {
					return misused(cmd, "--columns: %q is none of pss, private, shared, swap, huge and locked", c)
				}
				o.Columns = append(o.Columns, analysis.Column(c))
			}
			r := s.Report(o)
			l := a.look(cmd, arg)
			rows.set(&l)
			if len(a.pids) > 0 {
				l.Processes = 0
			}
			return give(&a, cmd, r, report.Report, r.Nameless, l, log.name)
		},
	}
	f := cmd.Flags()
	a.flags(cmd)
	only.flags(cmd, true, "kind", "function", "file", "thread")
	f.Var(&by, "by", "list by "+by.list())
	f.Var(&sort, "sort", "order by "+sort.list())
	f.Var((*sizeValue)(&o.MinSize), "min-size", "sum up what reserves less than `SIZE` (64K, 1M)")
	f.StringSliceVar(&columns, "columns", nil, "show `COLUMN`s too: pss, private, shared, swap, huge, locked")
	rows.flags(cmd)
	f.BoolVar(&vmas, "vmas", false, "numbers of mappings, beside vm.max_map_count")
	by.complete(cmd, "by")
	sort.complete(cmd, "sort")
	return cmd
}

// choice is the value of a flag that is one of a few words.
type choice struct {
	value string
	of    []string
}

func (c *choice) String() string { return c.value }

func (c *choice) Type() string { return "WORD" }

func (c *choice) Set(s string) error {
	for _, w := range c.of {
		if w == s {
			c.value = s
			return nil
		}
	}
	return fmt.Errorf("must be %s", c.list())
}

func (c *choice) list() string {
	n := len(c.of) - 1
	return strings.Join(c.of[:n], ", ") + " or " + c.of[n]
}

func (c *choice) complete(cmd *cobra.Command, flag string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return c.of, cobra.ShellCompDirectiveNoFileComp
	})
}

// rowsShown are the flags that say how much of a report is shown.
type rowsShown struct {
	top rowCount // 0 if the flag was not given
	all bool
}

func (r *rowsShown) flags(cmd *cobra.Command) {
	r.flag(cmd)
	cmd.Flags().BoolVar(&r.all, "all", false, "all rows, and all processes in full")
}

func (r *rowsShown) flag(cmd *cobra.Command) {
	cmd.Flags().Var(&r.top, "top", "at most `N` rows (default: as many as the terminal has room for; off one all)")
}

// rowCount is a flag that takes a number of rows.
type rowCount int

func (n *rowCount) String() string { return strconv.Itoa(int(*n)) }

func (n *rowCount) Type() string { return "int" }

func (n *rowCount) Set(s string) error {
	i, err := strconv.ParseUint(s, 10, 31)
	if err != nil || i == 0 {
		return errors.New("not a number of rows: 1 or more")
	}
	*n = rowCount(i)
	return nil
}

// fullProcesses are shown in full where there are many, and there is room.
const fullProcesses = 3

func (r *rowsShown) set(l *text.Style) {
	l.Processes = fullProcesses
	if l.Rows > 0 {
		l.Processes = 1 // a terminal has room for one
	}
	switch {
	case r.all:
		l.Rows, l.Processes = 0, 0
	case r.top > 0:
		l.Rows = int(r.top)
	}
}
