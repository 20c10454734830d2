package main

import (
	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/vm"
)

func historyCommand() *cobra.Command {
	var a answer
	var only filter
	var stacks bool
	cmd := &cobra.Command{
		Use:   "history [flags] LOG ADDR",
		Short: "Tell the history of an address",
		Long: `Tells what happened at an address (hexadecimal, with or without 0x): mapped, split, protected, moved,
freed and mapped again, when, by which thread and through which calls.

Up to a moment of a log: LOG@end (the default), LOG@start, LOG@peak, LOG@1.5s, LOG@seq:123.`,
		Args:              exactly("LOG", "ADDR"),
		ValidArgsFunction: completeLogs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			addr, err := vm.ParseAddress(args[1])
			if _, e := vm.ParseRange(args[1]); err != nil && e == nil {
				return misused(cmd, "%s: a history is of one address; blame tells of a range", args[1])
			} else if err != nil {
				return misused(cmd, "%s: %v", args[1], err)
			}
			chosen, err := only.parse(cmd)
			if err != nil {
				return err
			}
			log, err := only.open(cmd, args[0])
			if err != nil {
				return err
			}
			defer log.close()
			h, err := analysis.ReadHistory(log.open, log.at, a.pids, addr, analysis.HistoryOptions{Calls: stacks || a.json, Stacks: stacks, Filter: chosen})
			if err != nil {
				return log.failed(cmd, err)
			}
			log.warn(cmd, h.Cut)
			return give(&a, cmd, h, report.History, h.Nameless, a.look(cmd, args[0]), log.name)
		},
	}
	a.flags(cmd)
	only.flags(cmd, true, "function", "thread")
	cmd.Flags().BoolVar(&stacks, "stacks", false, "show every call with its whole call stack, repeated ones too")
	return cmd
}
