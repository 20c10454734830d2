//go:build man

package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// packagers are the commands for those who package vmblame. `make man` builds with the tag: what makes the pages would
// initialise its parser of Markdown at every start (a fifth of what all packages take).
func packagers() []*cobra.Command { return []*cobra.Command{manCommand()} }

// manCommand writes the manual pages, which are the help of every command.
func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages",
		Long:   "Writes a manual page for every command, made from its help, to DIR.",
		Hidden: true,
		Args:   exactly("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return failed("man: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			head := &doc.GenManHeader{Title: "VMBLAME", Section: "1", Source: "vmblame " + version, Manual: "vmblame"}
			if err := doc.GenManTree(root, head, args[0]); err != nil {
				return failed("man: write the pages to %s: %w", args[0], err)
			}
			pages, err := os.ReadDir(args[0])
			if err != nil {
				return failed("man: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d pages\n", args[0], len(pages))
			return nil
		},
	}
}
