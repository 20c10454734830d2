package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/record"
)

func attachCommand() *cobra.Command {
	var r recording
	cmd := &cobra.Command{
		Use:   "attach [flags] PID|NAME [PID|NAME...]",
		Short: "Attach to running processes and record who maps what",
		Long: `Attaches to every thread of the processes and records every change of their address spaces.
Ctrl-C (or SIGTERM) detaches and leaves them as they were.`,
		ValidArgsFunction: completeProcesses,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused(cmd, "PID is missing")
			}
			for _, a := range args {
				pid, err := processOf(cmd, a)
				if err != nil {
					return err
				}
				if !slices.Contains(r.options.PIDs, pid) {
					r.options.PIDs = append(r.options.PIDs, pid)
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(cmd); err != nil {
				return err
			}
			if r.options.Backend == "seccomp" {
				return misused(cmd, "--backend seccomp: a running process cannot be given a filter: auto, sigtrap or syscall")
			}
			if cmd.Flags().Changed("duration") && r.options.Duration <= 0 {
				return misused(cmd, "--duration %v: must be more than 0", r.options.Duration)
			}
			return r.attach()
		},
	}
	r.flags(cmd)
	cmd.Flags().DurationVar(&r.options.Duration, "duration", 0, "detach after `D`: 500ms, 0.5s, 1h")
	return cmd
}

// attach records until the target ends or the user ends it.
func (r *recording) attach() error {
	r.prepare()
	outcome, err := record.Attach(r.options)
	whole := r.close(outcome.Rest)
	switch {
	case err != nil:
		return &exit{status: exitFailed, err: err}
	case !whole:
		return &exit{status: exitFailed}
	}
	return nil
}
