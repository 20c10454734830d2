package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/eventlog"
)

// An exportFormat is one value of --format.
type exportFormat struct {
	name, about string
	write       func(log string, w io.Writer) error
}

// exportFormats lists them in the order of the help.
func exportFormats() []exportFormat {
	return []exportFormat{
		{"json", "one JSON document of all that the log says, names in the frames", eventlog.ExportJSON},
	}
}

func exportCommand() *cobra.Command {
	var format string
	var inJSON bool
	about := &strings.Builder{}
	for _, f := range exportFormats() {
		fmt.Fprintf(about, "\n  %-8s %s", f.name, f.about)
	}
	cmd := &cobra.Command{
		Use:   "export --format F LOG",
		Short: "Write a log in another format",
		Long:  "Writes LOG to standard output in another format:\n" + about.String(),
		Args:  exactly("LOG"),
		RunE: func(cmd *cobra.Command, args []string) error {
			log := args[0]
			if format == "" && inJSON {
				format = "json"
			}
			f, err := findFormat(cmd, format)
			if err != nil {
				return err
			}
			out := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<16)
			if err = f.write(log, out); err == nil || errors.Is(err, eventlog.ErrCut) {
				out.WriteByte('\n')
			}
			if e := out.Flush(); e != nil {
				err = e
			}
			if errors.Is(err, eventlog.ErrCut) {
				// The whole lines have been written.
				fmt.Fprintf(cmd.ErrOrStderr(), "vmblame: export %s: %v: what stands before the cut was exported\n", log, eventlog.ErrCut)
				return nil
			}
			if err != nil {
				return failed("export %s: %w", log, cause(err, log))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "", "the format, `F`")
	cmd.Flags().BoolVar(&inJSON, "json", false, "the same as --format json")
	return cmd
}

func findFormat(cmd *cobra.Command, name string) (exportFormat, error) {
	var known []string
	for _, f := range exportFormats() {
		if f.name == name {
			return f, nil
		}
		known = append(known, f.name)
	}
	list := strings.Join(known, ", ")
	if name == "" {
		return exportFormat{}, misused(cmd, "--format is missing; known are %s", list)
	}
	return exportFormat{}, misused(cmd, "unknown format %q; known are %s", name, list)
}
