package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/eventlog"
	"github.com/vmblame/vmblame/internal/record"
)

func versionCommand() *cobra.Command {
	var a answer
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print vmblame's version",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.print(cmd,
				func() []byte { return fmt.Appendf(nil, "vmblame %s\n", version) },
				func() any {
					run, attach := record.Backends()
					return struct {
						Version  string `json:"version"`
						Log      int    `json:"log_version"`
						Backends struct {
							Run    record.Choice `json:"run"`
							Attach record.Choice `json:"attach"`
						} `json:"backends"`
					}{Version: version, Log: eventlog.Version, Backends: struct {
						Run    record.Choice `json:"run"`
						Attach record.Choice `json:"attach"`
					}{run, attach}}
				})
		},
	}
	cmd.Flags().BoolVar(&a.json, "json", false, "answer in JSON")
	return cmd
}
