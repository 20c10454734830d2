package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/vmblame/vmblame/internal/elffile"
	"github.com/vmblame/vmblame/internal/naming"
)

// debugFlags are the flags of several commands that say where debug symbols are looked for.
func debugFlags(cmd *cobra.Command, d *naming.DebugFiles) {
	f := cmd.Flags()
	f.StringArrayVar(&d.Dirs, "debug-dir", nil, "look for debug files in `DIR` before "+elffile.DefaultDebugDir+` (an empty one: not there)`)
	f.StringVar(&d.Server, "debuginfod", "", "ask debuginfod servers for debug files: those of DEBUGINFOD_URLS, or `URL` (off: none)")
	f.Lookup("debuginfod").NoOptDefVal = "on"
}

// checkDebugFlags returns an error if a value of these flags is invalid.
func checkDebugFlags(cmd *cobra.Command, d *naming.DebugFiles) error {
	if err := d.Check(); err != nil {
		return misused(cmd, "--debuginfod=%v", err)
	}
	for _, dir := range d.Dirs {
		if st, err := os.Stat(dir); dir != "" && (err != nil || !st.IsDir()) {
			return misused(cmd, "--debug-dir %s: there is no such folder", dir)
		}
	}
	return nil
}
