package main

import (
	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/report"
)

func growthCommand() *cobra.Command {
	var a answer
	var f filter
	var rows rowsShown
	cmd := &cobra.Command{
		Use:   "growth [flags] [LOG]",
		Short: "Say what came, went and stayed between two moments, and how fast",
		Long: `Adds up what was mapped and unmapped between two moments of LOG (--since and --until; from the start to
the end where nothing is said), by kind and by the calls that did it: how much an hour that is, how many
mappings were never freed and how old the oldest of them is, and whether it grew in a straight line (a leak),
in one step (a start, a load), or went up and down like a saw.`,
		Args:              orNewest,
		ValidArgsFunction: completeLogs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			arg := logArg(cmd, args)
			chosen, err := f.parse(cmd)
			if err != nil {
				return err
			}
			log, err := f.open(cmd, arg)
			if err != nil {
				return err
			}
			defer log.close()
			g, err := analysis.ReadGrowth(log.open, analysis.GrowthOptions{Until: log.at, PIDs: a.pids, Filter: chosen})
			if err != nil {
				return log.failed(cmd, err)
			}
			log.warn(cmd, g.Cut)
			l := a.look(cmd, arg)
			rows.set(&l)
			return give(&a, cmd, g, report.Growth, g.Nameless, l, log.name)
		},
	}
	a.flags(cmd)
	rows.flags(cmd)
	f.flags(cmd, true, "kind", "function", "file", "thread")
	return cmd
}
