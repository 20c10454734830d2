package main

import (
	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/report"
)

func failedCommand() *cobra.Command {
	var a answer
	var only filter
	cmd := &cobra.Command{
		Use:   "failed [flags] [LOG]",
		Short: "Say which mapping calls failed, and why",
		Long: `Lists the mapping calls that failed: how much they asked for, whose stack, which error, and against which
limit they ran, worked out from the limits that were recorded and from what was mapped then.

Up to a moment of a log: LOG@end (the default), LOG@start, LOG@peak, LOG@1.5s, LOG@seq:123.`,
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
			f := s.Failed()
			return give(&a, cmd, f, report.Failed, f.Nameless, a.look(cmd, arg), log.name)
		},
	}
	a.flags(cmd)
	only.flags(cmd, true, "function", "thread")
	return cmd
}
