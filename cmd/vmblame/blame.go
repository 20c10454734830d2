package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/analysis"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/vm"
)

func blameCommand() *cobra.Command {
	var a answer
	var only filter
	var q analysis.Question
	cmd := &cobra.Command{
		Use:   "blame [flags] LOG ADDR|START-END|-",
		Short: "Say who mapped an address, a range, or each row of a memory map",
		Long: `Names the calls that made what is mapped at an address or in a range (hexadecimal, with or without 0x),
with their bytes, thread, time and call stack. What the kernel shows as one row although several calls
made it comes apart. With - the rows are read from standard input: the text of /proc/PID/maps,
/proc/PID/smaps or pmap (-x, -X too), or single lines of it:

  cat /proc/4711/smaps | vmblame blame LOG -
  pmap -x 4711 | vmblame blame LOG -

A moment of a log: LOG@end (the default), LOG@start, LOG@peak, LOG@1.5s, LOG@seq:123.`,
		Args:              exactly("LOG", "ADDR"),
		ValidArgsFunction: completeLogs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[1] != "-" {
				r, err := vm.ParseRange(args[1])
				if err != nil {
					return misused(cmd, "%s: %v", args[1], err)
				}
				q.Range = r
			}
			chosen, err := only.parse(cmd)
			if err != nil {
				return err
			}
			log, err := only.open(cmd, args[0])
			if err != nil {
				return err
			}
			if args[1] == "-" {
				text, err := io.ReadAll(os.Stdin)
				if err == nil {
					q.Rows, q.PID, err = vm.ParseMapText(text)
				}
				if err != nil {
					return failed("blame %s: standard input: %w: give it the text of /proc/PID/maps, smaps or pmap", log.name, err)
				}
			}
			s, err := log.load(cmd, a.pids, chosen)
			if err != nil {
				return err
			}
			q.Frames = a.json
			b := s.Blame(q)
			return give(&a, cmd, b, report.Blame, b.Nameless, a.look(cmd, args[0]), log.name)
		},
	}
	a.flags(cmd)
	only.flags(cmd, true, "kind", "function", "file", "thread")
	cmd.Flags().BoolVar(&q.Stacks, "stacks", false, "print every mapping's whole call stack")
	return cmd
}
