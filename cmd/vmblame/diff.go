package main

import (
	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/text"
)

func diffCommand() *cobra.Command {
	var a answer
	var only filter
	var over failOver
	var file string
	cmd := &cobra.Command{
		Use:   "diff [flags] BEFORE AFTER",
		Short: "Say what differs between two logs, or two moments of one",
		Long: `Compares what is mapped in two logs, or at two moments of one, by kind and by the calls that made it,
never by address: randomisation does not matter. What was recorded of the environment and differs
(variables, limits, processors, C library) stands beside the bytes.

A moment of a log: LOG@end (the default), LOG@start, LOG@peak, LOG@1.5s, LOG@seq:123.
With --pid N,M process N of BEFORE is compared with process M of AFTER.`,
		Args:              exactly("BEFORE", "AFTER"),
		ValidArgsFunction: completeLogs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(a.pids) > 2 {
				return misused(cmd, "--pid: at most one process of each log")
			}
			if file != "" && over.set == "" {
				return misused(cmd, "--junit %s: no bound is set: --fail-over", file)
			}
			chosen, err := only.parse(cmd)
			if err != nil {
				return err
			}
			var side [2]*analysis.State
			var logs [2]string
			for i, arg := range args {
				pids := a.pids
				if len(pids) == 2 {
					pids = pids[i : i+1]
				}
				log, err := openLogFile(cmd, arg)
				if err != nil {
					return err
				}
				logs[i] = log.name
				if side[i], err = log.load(cmd, pids, chosen); err != nil {
					return err
				}
			}
			d := analysis.Compare(side[0], side[1], [2]string{args[0], args[1]})
			if err := give(&a, cmd, d, report.Diff, d.Nameless, a.look(cmd, args[0]), logs[:]...); err != nil {
				return err
			}
			style := text.Style{Width: pipeWidth, Words: language(cmd)}
			list := over.judge(d, style)
			if err := deliver(file, "diff "+args[0]+" "+args[1], list, report.Diff(d, style), style); err != nil {
				return failed("diff: %w", err)
			}
			if err := passed(list, style); err != nil {
				return &exit{status: exitPassed, err: err}
			}
			return nil
		},
	}
	a.flags(cmd)
	cmd.Flags().Var(&over, "fail-over", "exit status 3 if a process has grown by more than `BOUND` of addresses: 5%, 10M")
	cmd.Flags().StringVar(&file, "junit", "", "write the results of --fail-over to `FILE`, as JUnit XML")
	only.flags(cmd, false, "kind", "function", "file", "thread")
	return cmd
}
