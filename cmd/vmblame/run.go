package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/record"
	"github.com/vmblame/vmblame/internal/report"
	"github.com/vmblame/vmblame/internal/text"
)

func runCommand() *cobra.Command {
	var r recording
	cmd := &cobra.Command{
		Use:   "run [flags] [--] PROGRAM [ARG...]",
		Short: "Launch a program and record who maps what",
		Long: `Launches PROGRAM and records every change of its address space, of its children too.
PROGRAM keeps its standard input, output and error, its terminal and its exit status.
Flags after PROGRAM are PROGRAM's own.

Exit status: the program's own; 3 a bound (--max-...) was exceeded and the program ended with 0; 125 vmblame failed, 126 PROGRAM cannot be executed,
127 PROGRAM not found, 2 wrong usage.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misused(cmd, "PROGRAM is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(cmd); err != nil {
				return err
			}
			for _, kv := range r.options.Env {
				if k, _, ok := strings.Cut(kv, "="); !ok || k == "" {
					return misused(cmd, "--env %s: not K=V", kv)
				}
			}
			if r.options.UntilExit && r.options.Backend == "seccomp" {
				return misused(cmd, "--until-exit: a process with a seccomp filter cannot be released: choose another --backend")
			}
			switch r.options.LSan {
			case "", "off", "keep":
			default:
				return misused(cmd, "--lsan %s: unknown: off or keep", r.options.LSan)
			}
			if r.junit != "" && !r.limits.any() {
				return misused(cmd, "--junit %s: no bound is set: --max-addresses, --max-resident or --max-mappings", r.junit)
			}
			r.options.Command = args
			return r.run()
		},
	}
	f := cmd.Flags()
	f.SetInterspersed(false)
	r.flags(cmd)
	f.BoolVar(&r.options.NoASLR, "no-aslr", false, "switch address space randomisation off for the program alone")
	f.BoolVar(&r.options.NoSeccomp, "no-seccomp", false, "stop on every system call (slow; the program then outlives a killed vmblame)")
	f.BoolVar(&r.options.UntilExit, "until-exit", false, "end with the program, and release the processes that it leaves (daemons); without a filter, as --backend sigtrap or syscall")
	f.StringVar(&r.options.LSan, "lsan", "", "the leak check at the program's end, which fails under any tracer, a `WORD`: off or keep (it then ends with status 1 or 23)")
	f.BoolVar(&r.options.JITNames, "jit-names", false, "have Java, Node, Python and .NET report the names of code that they generate (sets variables of theirs)")
	f.StringArrayVar(&r.options.Env, "env", nil, "set an environment variable, `K=V`")
	f.StringVar(&r.options.Chdir, "chdir", "", "start the program in `DIR`")
	f.StringVar(&r.options.User, "user", "", "start the program as user `NAME`")
	f.Var(&r.limits.addresses, "max-addresses", "exit status 3 if a process had more than `SIZE` of addresses (200M)")
	f.Var(&r.limits.resident, "max-resident", "the same for bytes in memory, at most")
	f.IntVar(&r.limits.mappings, "max-mappings", 0, "the same for `N` mappings, at the end or at the peak")
	f.StringVar(&r.junit, "junit", "", "write the results of the bounds to `FILE`, as JUnit XML")
	return cmd
}

// run records and ends as the program ended.
func (r *recording) run() error {
	r.prepare()
	outcome, err := record.Run(r.options)
	r.close(outcome.Rest)
	if err != nil && outcome.Exit == nil {
		status := exitRunFailed
		var e *record.Error
		if errors.As(err, &e) {
			switch e.Kind {
			case record.NotExecutable:
				status = exitNotExecutable
			case record.NotFound:
				status = exitNotFound
			}
		}
		return &exit{status: status, err: err}
	}
	over := r.judged()
	switch x := outcome.Exit; {
	case x == nil:
		return over
	case x.Signal != nil:
		return &exit{status: 128 + *x.Signal, signal: *x.Signal, err: err}
	case x.Code != nil && (*x.Code != 0 || err != nil):
		return &exit{status: *x.Code, err: err}
	}
	return over
}

// judged checks the recording against the bounds and reports the results to CI. It returns the error with which vmblame
// exits, nil if every bound was kept.
func (r *recording) judged() error {
	if r.summary == nil || r.summary.sum == nil {
		return nil
	}
	sum := r.summary.sum
	style := text.Style{Width: pipeWidth, Words: r.style.Words}
	list := r.limits.judge(sum, style)
	if err := deliver(r.junit, strings.Join(r.options.Command, " "), list, report.Summary(sum, style), style); err != nil {
		return &exit{status: exitRunFailed, err: fmt.Errorf("run: %w", err)}
	}
	if err := passed(list, style); err != nil {
		return &exit{status: exitPassed, err: err}
	}
	return nil
}
