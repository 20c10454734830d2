//go:build man

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/manual"
)

// packagers are the commands for those who package vmblame. `make man` builds with the tag: what makes the pages would
// initialise its parser of Markdown at every start (a fifth of what all packages take).
func packagers() []*cobra.Command { return []*cobra.Command{manCommand()} }

// manCommand writes the manual pages.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages",
		Long:   "Writes a manual page for every command, made from its help, to DIR.",
		Hidden: true,
		Args:   exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages, err := manual.Write(cmd.Root(), version, args[0])
			if err != nil {
				return failed("man: write the pages to %s: %w", args[0], err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d pages\n", args[0], pages)
			return nil
		},
	}
}
